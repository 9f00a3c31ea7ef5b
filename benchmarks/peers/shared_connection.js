// One connection to Redis for all requests: writes of a loop turn joined, replies in order.
import { createConnection } from 'node:net';

const JOINED_MAX = 16;
const CR = 13;

export class SharedConnection {
  constructor(host, port) {
    this.waiting = [];
    this.next = 0;
    this.unsent = '';
    this.unsentCommands = 0;
    this.rest = undefined;
    this.flush = this.flush.bind(this);
    this.socket = createConnection({ host, port, noDelay: true });
    this.socket.on('data', (data) => this.receive(data));
    this.socket.on('error', (error) => this.fail(error));
    this.socket.on('close', () => this.fail(new Error('the connection was lost')));
  }

  // Send a command; the promise gets its reply.
  call(values) {
    return new Promise((resolve, reject) => {
      const isIdle = this.next === this.waiting.length;
      this.waiting.push({ resolve, reject });
      this.unsent += frame(values);
      this.unsentCommands += 1;
      if (isIdle || this.unsentCommands >= JOINED_MAX) this.flush();
      else if (this.unsentCommands === 1) setImmediate(this.flush);
    });
  }

  flush() {
    if (this.unsentCommands === 0) return;
    this.socket.write(this.unsent);
    this.unsent = '';
    this.unsentCommands = 0;
  }

  receive(data) {
    const bytes = this.rest ? Buffer.concat([this.rest, data]) : data;
    let from = 0;
    for (;;) {
      const parsed = parse(bytes, from);
      if (parsed === undefined) break;
      from = parsed.to;
      this.settle(parsed.value);
    }
    this.rest = from < bytes.length ? bytes.subarray(from) : undefined;
  }

  settle(value) {
    const { resolve, reject } = this.waiting[this.next];
    this.next += 1;
    if (this.next === this.waiting.length) {
      this.waiting = [];
      this.next = 0;
    }
    if (value instanceof Error) reject(value);
    else resolve(value);
  }

  fail(error) {
    const lost = this.waiting.slice(this.next);
    this.waiting = [];
    this.next = 0;
    for (const { reject } of lost) reject(error);
  }
}

// A command as Redis reads it: an array of bulk strings.
function frame(values) {
  let command = `*${values.length}\r\n`;
  for (const value of values) {
    const text = typeof value === 'string' ? value : String(value);
    command += `$${Buffer.byteLength(text)}\r\n${text}\r\n`;
  }
  return command;
}

// The reply that begins at `from`, and where it ends; undefined while it is not all there.
function parse(bytes, from) {
  const lineEnd = bytes.indexOf(CR, from);
  if (lineEnd < 0 || lineEnd + 2 > bytes.length) return undefined;
  const line = bytes.latin1Slice(from + 1, lineEnd);
  const after = lineEnd + 2;
  switch (bytes[from]) {
    case 43: return { value: line, to: after }; // +
    case 45: return { value: new Error(line), to: after }; // -
    case 58: return { value: Number(line), to: after }; // :
    case 36: return parseBulk(bytes, after, Number(line)); // $
    case 42: return parseArray(bytes, after, Number(line)); // *
    default: throw new Error('the connection sent what is no reply');
  }
}

function parseBulk(bytes, from, length) {
  if (length < 0) return { value: null, to: from };
  const to = from + length;
  if (to + 2 > bytes.length) return undefined;
  return { value: bytes.utf8Slice(from, to), to: to + 2 };
}

function parseArray(bytes, from, length) {
  const values = [];
  let to = from;
  while (values.length < length) {
    const parsed = parse(bytes, to);
    if (parsed === undefined) return undefined;
    values.push(parsed.value);
    to = parsed.to;
  }
  return { value: values, to };
}
