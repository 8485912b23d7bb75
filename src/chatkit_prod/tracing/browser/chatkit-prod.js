/**
 * What happens in the browser, beside what happens on the server.
 *
 * fetch  → traceparent, chatkit-session → the app's ChatKit endpoint
 * events → the fields of two tables → queue → batches → the app's ClientEventsEndpoint
 *
 * Nothing but what the tables name leaves the page, and nothing here throws into it.
 */

const ID = /^[A-Za-z0-9_~:=-][A-Za-z0-9_.~:=-]{0,127}$/;
const WORD = /^[A-Za-z][A-Za-z0-9_.-]{0,63}$/;

// The server has the same tables; whatever is in none of them is nowhere.
const TEXTS = {
  thread_id: ID,
  item_id: ID,
  attachment_id: ID,
  request_id: /^[A-Za-z0-9_.:=/+-]{1,128}$/,
  code: WORD,
  error: WORD,
};
const NUMBERS = {
  status: [100, 599],
  duration_ms: [0, 86400000],
};
const EVENT_NAME = /^[a-z][a-z0-9_.]{0,63}$/;
const SESSION = /^[0-9a-f]{32}$/;
const TRACEPARENT = /^00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$/;

// How ChatKit and JavaScript may spell them.
const SPELLINGS = {
  thread_id: ["thread_id", "threadId"],
  item_id: ["item_id", "itemId"],
  attachment_id: ["attachment_id", "attachmentId"],
  request_id: ["request_id", "requestId"],
  code: ["code"],
  error: ["error"],
  status: ["status", "statusCode"],
  duration_ms: ["duration_ms", "durationMs"],
};

const MAX_QUEUE = 500;
// Browsers let 64 KiB be under way when a page closes: one batch that is, and the last one.
const MAX_BODY = 30000;
const MAX_READ = 1000000;
const MAX_THREADS = 50;
const FIRST_WAIT = 1000;
const LONGEST_WAIT = 300000;
const TIMEOUT = 30000;
const STORAGE_KEY = "chatkit-prod.session";

/** Run something that must not throw into the page. */
function quietly(work, otherwise) {
  try {
    return work();
  } catch {
    return otherwise;
  }
}

function read(from, key) {
  return from === null || typeof from !== "object" ? undefined : quietly(() => from[key]);
}

function matching(value, pattern) {
  return typeof value === "string" && pattern.test(value) ? value : undefined;
}

/** Copy what the tables name, and nothing else. */
function picked(from) {
  const kept = {};
  const spelt = (name, fits) => SPELLINGS[name].map((key) => read(from, key)).find(fits);
  for (const [name, pattern] of Object.entries(TEXTS)) {
    kept[name] = spelt(name, (value) => matching(value, pattern) !== undefined);
  }
  for (const [name, [least, greatest]] of Object.entries(NUMBERS)) {
    const found = spelt(name, (value) => typeof value === "number" && value >= least && value <= greatest);
    kept[name] = found === undefined ? undefined : Math.round(found);
  }
  return kept;
}

/** Return the pairs of an object that have a value. */
function known(pairs) {
  return Object.fromEntries(Object.entries(pairs).filter(([, value]) => value !== undefined));
}

function hex(bytes) {
  return Array.from(crypto.getRandomValues(new Uint8Array(bytes)), (byte) =>
    byte.toString(16).padStart(2, "0"),
  ).join("");
}

/** Return the id of this tab, which lasts as long as the tab where storage is allowed. */
function sessionId() {
  const kept = quietly(() => matching(sessionStorage.getItem(STORAGE_KEY), SESSION));
  const session = kept ?? hex(16);
  quietly(() => sessionStorage.setItem(STORAGE_KEY, session));
  return session;
}

/** Remembers the ChatKit requests, and which one an event belongs to. */
class Requests {
  #byThread = new Map();
  #latest;
  #unnamed;
  thread;

  add(request, type) {
    this.#latest = request;
    if (request.thread !== undefined) this.#remember(request.thread, request);
    if (type === "threads.create") this.#unnamed = request;
  }

  /** The page shows another thread: one that it knows, or the one that it has just made. */
  show(thread) {
    this.thread = thread;
    if (thread !== undefined && this.#unnamed && !this.#byThread.has(thread)) {
      this.#remember(thread, this.#unnamed);
      this.#unnamed = undefined;
    }
  }

  of(thread) {
    return this.#byThread.get(thread) ?? this.#latest;
  }

  #remember(thread, request) {
    this.#byThread.delete(thread);
    this.#byThread.set(thread, request);
    if (this.#byThread.size > MAX_THREADS) this.#byThread.delete(this.#byThread.keys().next().value);
  }
}

/** Holds events until they are delivered; the oldest go first when there are too many. */
class Queue {
  #events = [];
  lost = 0;

  get length() {
    return this.#events.length;
  }

  push(...texts) {
    this.#events.push(...texts);
    this.#shrink();
  }

  /** Take as many as are allowed, and as fit into a body. */
  take(most) {
    let size = 0;
    let count = 0;
    for (const text of this.#events) {
      size += text.length + 1; // every pattern is ASCII
      if (count === most || size > MAX_BODY) break;
      count += 1;
    }
    return this.#events.splice(0, count);
  }

  putBack(texts) {
    this.#events.unshift(...texts);
    this.#shrink();
  }

  #shrink() {
    const surplus = Math.max(0, this.#events.length - MAX_QUEUE);
    this.#events.splice(0, surplus);
    this.lost += surplus;
  }
}

/** Delivers the queue in batches, and waits longer each time that it fails. */
class Sender {
  #queue;
  #session;
  #options;
  #most;
  #failures = 0;
  #notBefore = 0;
  #timer;
  #underWay;

  constructor(queue, session, options) {
    this.#queue = queue;
    this.#session = session;
    this.#options = options;
    this.#most = options.maxBatch;
  }

  /** See to it that the queue is delivered, soon or, if it is long, now. */
  schedule() {
    const isLong = this.#queue.length >= this.#most;
    if (this.#underWay || this.#queue.length === 0 || (this.#timer !== undefined && !isLong)) return;
    const wait = Math.max(isLong ? 0 : this.#options.interval, this.#notBefore - Date.now());
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.flush(), wait);
  }

  /** Deliver one batch now; the promise is fulfilled whatever becomes of it. */
  flush() {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#underWay ??= this.#deliver().finally(() => {
      this.#underWay = undefined;
      this.schedule();
    });
    return this.#underWay;
  }

  /** Deliver what there is, beside what is under way: the page may be gone in a moment. */
  leave(isLast) {
    if (isLast || Date.now() >= this.#notBefore) this.#deliver().finally(() => this.schedule());
  }

  async #deliver() {
    const batch = this.#queue.take(this.#most);
    if (batch.length === 0) return;
    const lost = this.#queue.lost;
    this.#queue.lost = 0;
    const answer = await this.#post(batch, lost).catch(() => undefined);
    if (answer?.ok) {
      this.#failures = 0;
      this.#notBefore = 0;
      return;
    }
    this.#queue.lost += lost;
    const status = answer?.status;
    if (status === 413) this.#most = Math.max(1, batch.length >> 1);
    if (status === 400 || (status === 413 && batch.length === 1)) this.#queue.lost += batch.length;
    else this.#queue.putBack(batch);
    const wait = Math.min(LONGEST_WAIT, FIRST_WAIT * 2 ** this.#failures) * (0.5 + Math.random() / 2);
    const asked = Number(quietly(() => answer.headers.get("retry-after"))) * 1000 || 0;
    this.#failures += 1;
    this.#notBefore = Date.now() + Math.max(wait, Math.min(asked, LONGEST_WAIT));
  }

  async #post(batch, lost) {
    const { endpoint, fetch, headers, credentials } = this.#options;
    return fetch(endpoint, {
      method: "POST",
      credentials,
      keepalive: true,
      signal: AbortSignal.timeout(TIMEOUT),
      headers: asJSON(await headers?.()),
      body: `{"session":"${this.#session}","lost":${lost},"events":[${batch.join(",")}]}`,
    });
  }
}

function asJSON(headers) {
  const sent = new Headers(headers);
  sent.set("content-type", "application/json");
  return sent;
}

export function createTelemetry({
  endpoint,
  fetch: given,
  headers,
  credentials = "include",
  origins = [],
  interval = 2000,
  maxBatch = 50,
}) {
  // Bound now: the page may put ours in the place of its own.
  const send = given ?? globalThis.fetch.bind(globalThis);
  const base = globalThis.document?.baseURI;
  const own = [globalThis.location?.href, new URL(endpoint, base)].filter(Boolean);
  const traced = new Set([...own, ...origins].map((url) => new URL(url).origin).filter((origin) => origin !== "null"));
  const session = sessionId();
  const requests = new Requests();
  const queue = new Queue();
  const sender = new Sender(queue, session, { endpoint, fetch: send, headers, credentials, interval, maxBatch: Math.max(1, maxBatch) });

  /** Return the options of a request with our headers, and what to remember of it. */
  function prepare(input, init) {
    const isRequest = input instanceof Request;
    if (init instanceof Request) return [init]; // which cannot be copied like other options
    if (!traced.has(new URL(isRequest ? input.url : input, base).origin)) return [init];
    const sent = new Headers(init?.headers ?? (isRequest ? input.headers : undefined));
    if (!sent.has("traceparent")) sent.set("traceparent", `00-${hex(16)}-${hex(8)}-01`);
    if (!sent.has("chatkit-session")) sent.set("chatkit-session", session);
    const body = init?.body;
    const asked =
      typeof body === "string" && body.length <= MAX_READ ? quietly(() => JSON.parse(body)) : undefined;
    const request = {
      thread: matching(read(read(asked, "params"), "thread_id"), ID),
      traceparent: matching(sent.get("traceparent"), TRACEPARENT),
    };
    requests.add(request, read(asked, "type"));
    return [{ ...init, headers: sent }, request];
  }

  function describe(request, response) {
    request.status = response.status;
    request.id = response.headers.get("x-request-id");
  }

  function tracedFetch(input, init) {
    const [options, request] = quietly(() => prepare(input, init), [init]);
    const answer = send(input, options);
    if (request) quietly(() => answer.then((response) => quietly(() => describe(request, response)), () => {}));
    return answer;
  }

  /** Put an event into the queue, with the request that it belongs to. */
  function note(name, data, error) {
    const event = matching(name, EVENT_NAME);
    if (event === undefined) return;
    const kept = picked(data);
    if (error !== undefined) {
      Object.assign(kept, known(picked(error)));
      kept.error = matching(read(error, "name"), WORD);
    }
    const thread = kept.thread_id ?? requests.thread;
    const request = requests.of(thread);
    const isOfThread = thread === undefined || request?.thread === undefined || request.thread === thread;
    const status = isOfThread ? picked({ status: request?.status }).status : undefined;
    const { request_id } = picked({ request_id: request?.id });
    kept.thread_id = thread ?? request?.thread;
    kept.request_id ??= request_id;
    kept.status ??= status;
    queue.push(
      JSON.stringify({ name: event, time: Date.now(), traceparent: request?.traceparent, data: known(kept) }),
    );
    sender.schedule();
  }

  const heard = {
    log: (detail) => quietly(() => note(read(detail, "name"), read(detail, "data"))),
    error: (detail) => quietly(() => note("chatkit.error", undefined, read(detail, "error") ?? {})),
    thread: (detail) => quietly(() => requests.show(matching(read(detail, "threadId"), ID))),
  };

  function attach(element) {
    const listeners = {
      "chatkit.log": (event) => heard.log(read(event, "detail")),
      "chatkit.error": (event) => heard.error(read(event, "detail")),
      "chatkit.thread.change": (event) => heard.thread(read(event, "detail")),
    };
    for (const [type, listener] of Object.entries(listeners)) element.addEventListener(type, listener);
    return () => {
      for (const [type, listener] of Object.entries(listeners)) element.removeEventListener(type, listener);
    };
  }

  function options(own = {}) {
    const both = (ours, theirs) => (detail) => {
      ours(detail);
      return theirs?.(detail);
    };
    return {
      ...own,
      onLog: both(heard.log, own.onLog),
      onError: both(heard.error, own.onError),
      onThreadChange: both(heard.thread, own.onThreadChange),
    };
  }

  globalThis.document?.addEventListener("visibilitychange", () => {
    if (document.visibilityState === "hidden") sender.leave(false);
  });
  globalThis.addEventListener?.("pagehide", () => sender.leave(true));

  return Object.freeze({ session, fetch: tracedFetch, attach, options, flush: () => sender.flush() });
}
