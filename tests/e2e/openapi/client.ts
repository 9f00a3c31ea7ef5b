// A shop that reserves, extends, books and cancels, with a client made from /openapi.json:
// node client.js <url> <key> <room> <start> <end>. It prints what it got as JSON.
import createClient from "openapi-fetch";
import type { components, paths } from "./api.js";

type Schemas = components["schemas"];
declare const process: { argv: string[] }; // Node's; its types are a package of their own

const [url, key, room, start, end] = process.argv.slice(2) as [string, string, string, string, string];
const client = createClient<paths>({ baseUrl: url, headers: { Authorization: `Bearer ${key}` } });
const slot: Schemas["ReserveBody"] = {
  resource_id: room,
  start,
  end,
  duration: 60,
  what: "Haircut",
  where: "Main street 1",
  description: "Short, please",
};

const held = await client.POST("/v2/bookings/reserve", { body: slot });
if (held.error) throw new Error(held.error.detail);
const { reservation_id, expires_at } = held.data.data;

// Another customer wants the slot, too.
const second = await client.POST("/v2/bookings/reserve", { body: slot });
if (!second.error) throw new Error("reserved twice");
let retryAfter: number | undefined;
if (second.error.code === "slot_unavailable") retryAfter = second.error.retry_after_ms;
// @ts-expect-error: this call has no such problem.
if (second.error.code === "slug_taken") throw new Error("no project is made here");

const wrong = await client.POST("/v2/bookings/reserve", { body: { ...slot, end: start } });
if (wrong.error?.code !== "invalid_fields") throw new Error("a slot without length was reserved");
const wrongFields: Record<string, string[]> | undefined = wrong.error.errors;

// @ts-expect-error: a field that is misspelled.
const misspelled: Schemas["ReserveBody"] = { resource: room };
void misspelled;

const longer = await client.PUT("/v2/bookings/reserve/extend", {
  body: { reservation_id, duration: 600 },
});
if (longer.error) throw new Error(longer.error.detail);

const booked = await client.POST("/v2/bookings", {
  params: { header: { "Idempotency-Key": `order-${room}` } },
  body: {
    reservation_id,
    customer: { name: "Ada", email: "ada@example.com", loyalty_card: 7 },
    meta: { order_id: "o-1" },
  },
});
if (booked.error) throw new Error(booked.error.detail);
const { data } = booked.data;
const email: string | undefined = data.customers[0].email;

// @ts-expect-error: no booking has this action.
const unknown: Schemas["BookingAction"] = "vanish";
void unknown;

const cancelled = await client.PUT("/v2/bookings/{booking_id}/{action}", {
  params: { path: { booking_id: data.id, action: "cancel" } },
  body: { cancel: { message: "Ill, sorry" } },
});
if (cancelled.error) throw new Error(cancelled.error.detail);

const listed = await client.GET("/v2/bookings", {
  params: { query: { search: [`resource.id:${room}`], limit: 1, orderBy: "created_at" } },
});

console.log(
  JSON.stringify({
    problem: second.error.code,
    can_retry: (retryAfter ?? 0) > 0,
    wrong: Object.keys(wrongFields ?? {}),
    extended: new Date(longer.data.data.expires_at) > new Date(expires_at),
    email,
    card: data.customers[0]["loyalty_card"],
    meta: data.meta,
    actions: data.possible_actions,
    state: cancelled.data.data.state,
    told: cancelled.data.data.attributes["cancel"],
    listed: listed.data?.total,
  }),
);
