// fastify with its own JSON schema validation, and ioredis.
import Fastify from 'fastify';
import { Redis } from 'ioredis';
import {
  BODY_BYTES_MAX, HOST, PATH, PORT, REDIS_PORT, argumentsOf, brokenRule, claimOf, keysOf, replyOf,
  script,
} from './claim.js';

const text = { type: 'string' };
const optionalText = { type: 'string', nullable: true };
const moment = { type: 'string', format: 'date-time' };
const whole = { type: 'integer' };

const body = {
  type: 'object',
  required: ['start', 'end', 'resource_id', 'what', 'where', 'description'],
  properties: {
    start: moment,
    end: moment,
    resource_id: { type: 'string', pattern: '^[A-Za-z0-9][A-Za-z0-9._~-]{0,127}$' },
    what: text,
    where: text,
    description: text,
    duration: { type: 'integer', minimum: 1, maximum: 86400 },
    quantity: { type: 'integer', minimum: 1, maximum: 1 },
    graph: { type: 'string', enum: ['instant'] },
    project_id: { type: 'null' },
    customer: {
      type: 'object',
      additionalProperties: true,
      properties: {
        name: optionalText, email: optionalText, phone: optionalText, voip: optionalText,
        timezone: optionalText,
      },
    },
  },
};

const reservation = {
  type: 'object',
  properties: {
    remaining_ms: whole, lifetime_ms: whole, server_time: text, expires_at: text,
    created_at: text, start: text, end: text, quantity: whole, id: text, reservation_id: text, resource_id: text,
    project_id: optionalText, duration: whole, what: text, where: text, description: text,
    customer: { type: 'object', additionalProperties: true }, graph: text,
  },
};
const reply = { 201: { type: 'object', properties: { data: reservation } } };

// Automatic pipelining stays off: here ioredis is faster without it.
const redis = new Redis({ host: HOST, port: REDIS_PORT });
redis.defineCommand('reserve', { numberOfKeys: 4, lua: script.body });

const server = Fastify({
  bodyLimit: BODY_BYTES_MAX,
  // fastify would take "60" for a number, and drop fields it does not know.
  ajv: { customOptions: { coerceTypes: false, removeAdditional: false } },
});

server.post(PATH, { schema: { body, response: reply } }, async (request, answer) => {
  const startMs = Date.parse(request.body.start);
  const endMs = Date.parse(request.body.end);
  const rule = brokenRule(startMs, endMs);
  if (rule) return answer.code(422).send({ detail: rule });
  const claim = claimOf(request.body, startMs, endMs);
  const keys = keysOf(claim);
  const values = argumentsOf(claim);
  let outcome = ['swept'];
  while (outcome[0] === 'swept') outcome = await redis.reserve(...keys, ...values);
  if (outcome[0] !== 'reserved') return answer.code(409).send({ detail: 'The slot is not free.' });
  return answer.code(201).send(replyOf(claim, outcome[1]));
});

await server.listen({ host: HOST, port: PORT });
