// Node's own http and a hand-written shared connection: the strongest peer.
import { createServer } from 'node:http';
import {
  BODY_BYTES_MAX, HOST, PATH, PORT, REDIS_PORT, argumentsOf, brokenRule, claimOf, keysOf, replyOf,
  script,
} from './claim.js';
import { SharedConnection } from './shared_connection.js';

const RESOURCE_ID = /^[A-Za-z0-9][A-Za-z0-9._~-]{0,127}$/;
const MOMENT = /^\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(?:\.\d+)?(?:[Zz]|[+-]\d\d:?\d\d)$/;
const TEXTS = ['what', 'where', 'description'];
const CUSTOMER_TEXTS = ['name', 'email', 'phone', 'voip', 'timezone'];

const redis = new SharedConnection(HOST, REDIS_PORT);
await redis.call(['SCRIPT', 'LOAD', script.body]);

function isObject(value) {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isWhole(value, least, most) {
  return value === undefined || (Number.isInteger(value) && value >= least && value <= most);
}

// Epoch milliseconds, or NaN where the text is no RFC 3339 time with an offset.
function moment(text) {
  return typeof text === 'string' && MOMENT.test(text) ? Date.parse(text) : NaN;
}

// The first rule that the body breaks, or undefined.
function broken(body, startMs, endMs) {
  if (Number.isNaN(startMs)) return 'start must be an RFC 3339 time with an offset';
  if (Number.isNaN(endMs)) return 'end must be an RFC 3339 time with an offset';
  if (typeof body.resource_id !== 'string' || !RESOURCE_ID.test(body.resource_id)) {
    return 'resource_id must be 1 to 128 characters';
  }
  for (const name of TEXTS) if (typeof body[name] !== 'string') return `${name} must be a string`;
  if (!isWhole(body.duration, 1, 86400)) return 'duration must be from 1 to 86400 seconds';
  if (!isWhole(body.quantity, 1, 1)) return 'quantity must be 1';
  if (body.graph !== undefined && body.graph !== 'instant') return 'graph must be instant';
  if (body.project_id !== undefined && body.project_id !== null) return 'project_id is unknown';
  return brokenCustomer(body.customer) ?? brokenRule(startMs, endMs);
}

function brokenCustomer(customer) {
  if (customer === undefined) return undefined;
  if (!isObject(customer)) return 'customer must be an object';
  for (const name of CUSTOMER_TEXTS) {
    const value = customer[name];
    if (value !== undefined && value !== null && typeof value !== 'string') {
      return `customer.${name} must be a string`;
    }
  }
  return undefined;
}

function send(response, status, value) {
  const body = JSON.stringify(value);
  response.writeHead(status, {
    'Content-Type': 'application/json',
    'Content-Length': Buffer.byteLength(body),
  });
  response.end(body);
}

async function reserve(text, response) {
  let body;
  try {
    body = JSON.parse(text);
  } catch (error) {
    return send(response, 400, { detail: error.message });
  }
  if (!isObject(body)) return send(response, 400, { detail: 'the body must be an object' });
  const startMs = moment(body.start);
  const endMs = moment(body.end);
  const rule = broken(body, startMs, endMs);
  if (rule) return send(response, 422, { detail: rule });
  const claim = claimOf(body, startMs, endMs);
  const command = ['EVALSHA', script.sha, 4, ...keysOf(claim), ...argumentsOf(claim)];
  let outcome = ['swept'];
  while (outcome[0] === 'swept') outcome = await redis.call(command);
  if (outcome[0] !== 'reserved') return send(response, 409, { detail: 'The slot is not free.' });
  return send(response, 201, replyOf(claim, outcome[1]));
}

function answer(request, response) {
  if (request.method !== 'POST' || request.url !== PATH) {
    return send(response, 404, { detail: 'There is nothing here.' });
  }
  const chunks = [];
  let size = 0;
  request.on('data', (chunk) => {
    size += chunk.length;
    if (size <= BODY_BYTES_MAX) chunks.push(chunk);
  });
  request.on('end', () => {
    if (size > BODY_BYTES_MAX) return send(response, 413, { detail: 'The body is too large.' });
    const text = chunks.length === 1 ? chunks[0].toString() : Buffer.concat(chunks).toString();
    return reserve(text, response).catch((error) => send(response, 503, { detail: error.message }));
  });
  return undefined;
}

createServer(answer).listen(PORT, HOST);
