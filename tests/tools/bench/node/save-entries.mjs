// save-entries as one would write it for Node: the baseline `batch10_node_us` of `cargo bench-host`.
//
// It gets what the component gets, and must send, log and return the same bytes; the benchmark compares them. Table,
// service and log are in memory here too. The first line of stdin holds their contents; then each line is
// {"writeDown": true} or {"calls": n}.

import { createInterface } from "node:readline";
import { isDeepStrictEqual } from "node:util";

const TABLE = "demand-table";
const MAX_PER_REQUEST = 25;
const MAX_ROUNDS = 5;
const RFC3339 = /^\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)$/;

class Malformed extends Error {}

// ── A record, and its item ───────────────────────────────────────────────────────────────────────────────

function text(image, field, required) {
  const value = image[field];
  if (value === undefined || value === null) {
    if (required) throw new Malformed(`${field} is missing or empty`);
    return undefined;
  }
  if (typeof value !== "string") throw new Malformed(`${field} is not text`);
  if (required && value === "") throw new Malformed(`${field} is missing or empty`);
  return value;
}

function instant(value, field) {
  if (value === undefined || value === null) return undefined;
  if (typeof value !== "string" || !RFC3339.test(value) || Number.isNaN(Date.parse(value))) {
    throw new Malformed(`${field} is not an RFC 3339 time`);
  }
  return value;
}

function fieldsOf(image) {
  let fields = image.fields;
  if (typeof fields === "string") {
    try {
      fields = JSON.parse(fields);
    } catch {
      throw new Malformed("fields is not a JSON object as text");
    }
  }
  if (fields === null || typeof fields !== "object" || Array.isArray(fields)) {
    throw new Malformed("fields is neither text nor an object");
  }
  return fields;
}

function readItem(image) {
  const date = image.date ?? {};
  const campaignId = text(image, "campaignId", true);
  const globalUserId = text(image, "globalUserId", true);
  const updated = instant(date.updated, "date.updated") ?? instant(image.updatedAt, "updatedAt");
  if (updated === undefined) throw new Malformed("date.updated is missing");
  return {
    pk: typeof image.pk === "string" ? image.pk : `CAMPAIGN#${campaignId}`,
    sk: typeof image.sk === "string" ? image.sk : `USER#${globalUserId}`,
    campaignId,
    globalUserId,
    memberId: text(image, "memberId", false),
    fields: fieldsOf(image),
    linkedFrom: text(image, "linkedFrom", false),
    score: typeof image.score === "number" ? image.score : undefined,
    needsReplication: image.needsReplication === true,
    created: instant(date.created, "date.created") ?? instant(image.createdAt, "createdAt"),
    fanModified: instant(date.fanModified, "date.fanModified"),
    version: new Date(updated).toISOString(),
    updatedPath: date.updated === undefined ? "updatedAt" : "date.updated",
    updatedJson: JSON.stringify(updated),
  };
}

function readRecord(event) {
  const body = JSON.parse(event.payload);
  if (!["INSERT", "MODIFY", "REMOVE"].includes(body.operation)) throw new Malformed("operation is unknown");
  return { operation: body.operation, attempt: event.attempt, image: readItem(body.entry) };
}

// ── The rule ─────────────────────────────────────────────────────────────────────────────────────────────────────────

function sameFan(a, b) {
  return (
    a.memberId === b.memberId &&
    a.linkedFrom === b.linkedFrom &&
    a.fanModified === b.fanModified &&
    isDeepStrictEqual(a.fields, b.fields)
  );
}

function verdict({ operation, image }, current) {
  if (operation === "REMOVE") return current ? { stale: "stale: the item was made again after this record" } : "delete";
  if (!current) return { stale: "stale: the item was removed after this record" };
  if (current.version < image.version) return "behind";
  if (current.version === image.version && sameFan(current, image)) return "put";
  return { stale: "stale: the item changed after this record" };
}

function check(record, current) {
  const found = verdict(record, current);
  return found.stale && record.attempt > 1 ? (current ? "put" : "delete") : found;
}

const keyOf = ({ pk, sk }) => `${pk}\n${sk}`;

function forService(item) {
  return {
    globalUserId: item.globalUserId,
    campaignId: item.campaignId,
    memberId: item.memberId,
    fields: item.fields,
    linkedFrom: item.linkedFrom,
    score: item.score,
    date: { created: item.created, updated: item.version, fanModified: item.fanModified },
    version: item.version,
  };
}

function unflag(item, now) {
  return {
    key: { pk: item.pk, sk: item.sk },
    set: [["needsReplication", "false"], ["replicatedAt", JSON.stringify(now)]],
    increment: [],
    remove: [],
    condition: [{ Equals: [item.updatedPath, item.updatedJson] }],
  };
}

// ── The worker ───────────────────────────────────────────────────────────────────────────────────────────────────────

class SaveEntries {
  constructor(platform, service) {
    this.platform = platform;
    this.service = service;
  }

  async handle(events) {
    const startMs = Date.now();
    const { correlationId, traceparent } = events[0] ?? {};
    const dispositions = new Array(events.length).fill({ retry: null });
    const records = [];
    events.forEach((event, index) => {
      try {
        records.push({ index, ...readRecord(event) });
      } catch (error) {
        dispositions[index] = { reject: `malformed: ${error.message}` };
      }
    });
    await this.replicate(records, correlationId, (index, disposition) => (dispositions[index] = disposition));
    this.log("Entries replicated", correlationId, dispositions);
    this.span("replicateEntries", startMs, correlationId, traceparent);
    return dispositions;
  }

  async look(keys) {
    const texts = await this.platform.batchGet(TABLE, keys);
    return new Map(keys.map((key, at) => [keyOf(key), texts[at] === null ? null : readItem(JSON.parse(texts[at]))]));
  }

  async replicate(records, correlationId, settle) {
    const keys = [...new Map(records.map(({ image }) => [keyOf(image), { pk: image.pk, sk: image.sk }]))]
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([, key]) => key);
    const looks = await this.look(keys);
    const jobs = new Map();
    for (const record of records) {
      const key = keyOf(record.image);
      const current = looks.get(key);
      const todo = check(record, current);
      if (todo === "behind") settle(record.index, { retry: null });
      else if (todo.stale) settle(record.index, { skip: todo.stale });
      else {
        const item = todo === "put" ? current : record.image;
        const job = jobs.get(key) ?? { item, action: todo, records: [] };
        if (item.version > job.item.version) job.item = item;
        job.records.push(record.index);
        jobs.set(key, job);
      }
    }
    const campaigns = Map.groupBy?.(jobs.values(), (job) => job.item.campaignId) ?? group(jobs.values());
    await Promise.all(
      [...campaigns].map(async ([campaignId, jobs]) => {
        jobs.sort((a, b) => (a.action === "delete") - (b.action === "delete"));
        for (let from = 0; from < jobs.length; from += MAX_PER_REQUEST) {
          await this.converge(campaignId, jobs.slice(from, from + MAX_PER_REQUEST), correlationId, settle);
        }
      }),
    );
  }

  async converge(campaignId, jobs, correlationId, settle) {
    const done = (job, disposition) => job.records.forEach((index) => settle(index, disposition));
    for (let round = 0; round < MAX_ROUNDS && jobs.length > 0; round += 1) {
      const held = [];
      const changed = [];
      const puts = jobs.filter((job) => job.action === "put");
      const deletions = jobs.filter((job) => job.action === "delete");
      if (puts.length > 0) {
        const results = await this.send("POST", campaignId, puts.map((job) => forService(job.item)), correlationId);
        for (const job of puts) {
          const result = results.get(job.item.globalUserId);
          if (result?.status === "upserted") held.push(job);
          else if (result?.status === "stale") changed.push(job);
          else if (result?.status === "invalid") done(job, { retry: null });
          else done(job, { retry: null });
        }
      }
      if (deletions.length > 0) {
        const entries = deletions.map(({ item }) => ({ globalUserId: item.globalUserId, version: item.version }));
        const results = await this.send("DELETE", campaignId, entries, correlationId);
        for (const job of deletions) done(job, results.has(job.item.globalUserId) ? "ack" : { retry: null });
      }
      if (held.length > 0) {
        const now = new Date().toISOString();
        const errors = await this.platform.batchUpdate(TABLE, held.map((job) => unflag(job.item, now)));
        held.forEach((job, at) => {
          if (errors[at] === null) done(job, "ack");
          else if (errors[at].kind === "condition-failed") changed.push(job);
          else done(job, { retry: errors[at].retry_after_ms ?? null });
        });
      }
      jobs = changed.length > 0 ? await this.reread(changed, done) : [];
    }
    for (const job of jobs) done(job, { retry: null });
  }

  async reread(changed, done) {
    const looks = await this.look(changed.map(({ item: { pk, sk } }) => ({ pk, sk })));
    return changed.flatMap((job) => {
      const current = looks.get(keyOf(job.item));
      if (current?.needsReplication) return [{ ...job, item: current, action: "put" }];
      done(job, "ack");
      return [];
    });
  }

  async send(method, campaignId, entries, correlationId) {
    const response = await this.platform.fetch(`${this.service}/${encodeURIComponent(campaignId)}/entries`, {
      method,
      headers: { "content-type": "application/json", "x-correlation-id": correlationId },
      body: JSON.stringify({ entries }),
    });
    const { results } = JSON.parse(await response.text());
    return new Map(results.map((result) => [result.globalUserId, result]));
  }

  log(message, correlationId, dispositions) {
    const count = (is) => dispositions.filter(is).length;
    const data = {
      failed: count((it) => it.retry !== undefined),
      processed: count((it) => it === "ack"),
      received: dispositions.length,
      rejected: count((it) => it.reject !== undefined),
      skipped: count((it) => it.skip !== undefined),
    };
    const [level, tag, timestamp] = ["INFO", "registration:apps:saveEntries", new Date().toISOString()];
    this.platform.log(JSON.stringify({ correlationId, data, level, message, tag, timestamp }));
  }

  span(span, startMs, correlationId, traceparent) {
    const attributes = { "correlation.id": correlationId, "span.workerName": "saveEntries" };
    this.platform.log(JSON.stringify({ attributes, correlationId, endMs: Date.now(), span, startMs, traceparent }));
  }
}

function group(jobs) {
  const groups = new Map();
  for (const job of jobs) {
    const id = job.item.campaignId;
    if (!groups.has(id)) groups.set(id, []);
    groups.get(id).push(job);
  }
  return groups;
}

// ── Table, service and log in memory ────────────────────────────────────────────────────────────────────────────────────────────

class Memory {
  transcript = null;

  constructor(world) {
    this.items = new Map(world.items.map(([pk, sk, item]) => [keyOf({ pk, sk }), item]));
    this.answer = world.answer;
  }

  async batchGet(_table, keys) {
    this.transcript?.push(`read ${JSON.stringify(keys)}`);
    return keys.map((key) => this.items.get(keyOf(key)) ?? null);
  }

  async batchUpdate(_table, updates) {
    this.transcript?.push(`update ${JSON.stringify(updates)}`);
    return updates.map(() => null);
  }

  async fetch(url, { method, body }) {
    this.transcript?.push(`${method} ${url} ${body}`);
    return { status: 200, text: async () => this.answer };
  }

  log(line) {
    this.transcript?.push(`log ${line}`);
  }
}

async function time(worker, events, calls) {
  const start = process.hrtime.bigint();
  for (let call = 0; call < calls; call += 1) {
    const answer = await worker.handle(events);
    if (!answer.every((disposition) => disposition === "ack")) throw new Error(JSON.stringify(answer));
  }
  return Number(process.hrtime.bigint() - start) / 1000 / calls;
}

const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
const world = JSON.parse((await lines.next()).value);
const memory = new Memory(world);
const worker = new SaveEntries(memory, world.service);
for await (const line of lines) {
  const question = JSON.parse(line);
  if (question.writeDown) {
    memory.transcript = [];
    const answer = await worker.handle(world.events);
    const transcript = [...memory.transcript, `answer ${JSON.stringify(answer)}`];
    memory.transcript = null;
    console.log(JSON.stringify({ transcript }));
  } else {
    console.log(JSON.stringify({ us: await time(worker, world.events, question.calls) }));
  }
}
