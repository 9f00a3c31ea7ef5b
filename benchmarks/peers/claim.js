// What the peers in JavaScript share: the script's arguments and the reply.
import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';

export const HOST = '127.0.0.1';
export const PORT = Number(process.env.PEER_PORT);
export const REDIS_PORT = Number(process.env.PEER_REDIS_PORT);
export const PATH = '/v2/bookings/reserve';
export const BODY_BYTES_MAX = 65536;

// Written by benchmarks/script_export.py.
export const script = JSON.parse(readFileSync(process.env.PEER_SCRIPT, 'utf8'));

const ULID_CHARACTERS = 26;
const SLOT_MS_MAX = 31 * 86400 * 1000;

// The rule about the slot that the body breaks, or undefined.
export function brokenRule(startMs, endMs) {
  if (endMs <= startMs) return 'end must be after start';
  if (endMs - startMs > SLOT_MS_MAX) return 'end must be at most 31 days after start';
  return undefined;
}

// A checked body under a new id.
export function claimOf(body, startMs, endMs) {
  const ulid = randomUUID().slice(0, ULID_CHARACTERS);
  const id = `${body.resource_id}.${ulid}`;
  const document = {
    start: new Date(startMs).toISOString(),
    end: new Date(endMs).toISOString(),
    quantity: body.quantity ?? 1,
    id,
    reservation_id: id,
    resource_id: body.resource_id,
    project_id: null,
    duration: body.duration ?? 30,
    what: body.what,
    where: body.where,
    description: body.description,
    customer: body.customer ?? {},
    graph: body.graph ?? 'instant',
  };
  return { ulid, startMs, endMs, document };
}

// KEYS of lua/reserve.lua.
export function keysOf({ ulid, document }) {
  const tag = `{${document.resource_id}}`;
  return [`reservation:${tag}:${ulid}`, `slots:${tag}`, `fence:${tag}`, `overlap:${tag}`];
}

// ARGV of lua/reserve.lua.
export function argumentsOf({ startMs, endMs, document }) {
  return [
    script.run, startMs, endMs, document.quantity, 1, document.duration * 1000,
    JSON.stringify(document).slice(1), script.past_ms, script.ahead_ms,
    script.index_ttl_ms, script.sweep,
  ];
}

// The reply to a claim that was granted at nowMs.
export function replyOf({ document }, nowMs) {
  const now = new Date(nowMs).toISOString();
  const leftMs = document.duration * 1000;
  return {
    data: {
      remaining_ms: leftMs,
      lifetime_ms: leftMs,
      server_time: now,
      expires_at: new Date(nowMs + leftMs).toISOString(),
      created_at: now,
      ...document,
    },
  };
}
