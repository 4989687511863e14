// The server's API (/v1): requests, uploads with progress, and the stream of a job's progress.

const BASE = "v1";
export const ENDED = new Set(["done", "failed", "cancelled"]);

/** What the server, or the way to it, has against a request (RFC 9457). */
export class Problem extends Error {
  constructor({ status = 0, title = "", detail = "" }) {
    super(detail || title || `The server answered ${status}.`);
    Object.assign(this, { status, title, detail });
  }
}

const UNREACHED = {
  title: "The server cannot be reached",
  detail: "The server cannot be reached. Is it still running?",
};

function kept() {
  try {
    return sessionStorage.getItem("aver.key") ?? "";
  } catch {
    return "";
  }
}

let key = kept();
let askForKey = null;
let asking = null;

/** What to call when the server wants a key; it resolves to the key, or to "". */
export function onKeyNeeded(ask) {
  askForKey = ask;
}

export const headersOf = () => (key ? { Authorization: `Bearer ${key}` } : {});

/** Ask for the key once, whoever needs it, and get the cookie that pictures and players need. */
async function newKey() {
  asking ??= (async () => {
    let wrong = false;
    for (;;) {
      const given = askForKey ? await askForKey(wrong) : "";
      if (!given) return false;
      const headers = { Authorization: `Bearer ${given}` };
      const answer = await fetch(`${BASE}/session`, { method: "POST", headers }).catch(() => null);
      if (answer?.ok) {
        key = given;
        try {
          sessionStorage.setItem("aver.key", key);
        } catch {
          /* it lasts as long as the page */
        }
        return true;
      }
      wrong =
        answer?.status === 429 ? "Too many tries. Wait a minute." : "That is not the key of this server.";
    }
  })().finally(() => {
    asking = null;
  });
  return asking;
}

async function problemOf(response) {
  const said = await response.json().catch(() => ({}));
  return new Problem({ status: response.status, title: said.title, detail: said.detail });
}

/** fetch() with the key; asks for one and tries again where the server wants it. */
export async function request(path, options = {}) {
  for (let tries = 0; ; tries += 1) {
    const sent = { ...options, headers: { ...headersOf(), ...options.headers }, credentials: "same-origin" };
    let response;
    try {
      response = await fetch(path, sent);
    } catch (error) {
      if (error.name === "AbortError") throw error;
      throw new Problem(UNREACHED);
    }
    if (response.ok) return response;
    if (response.status === 401 && tries < 2 && (await newKey())) continue;
    throw await problemOf(response);
  }
}

const json = async (path, options) => (await request(path, options)).json();
const at = (id, rest = "") => `${BASE}/analyses/${encodeURIComponent(id)}${rest}`;

/** One page of the list: { jobs, next }, `next` being the address of the page after it. */
export async function list(address = `${BASE}/analyses?limit=50`) {
  const page = await json(address);
  return { jobs: page.items, next: page.next };
}

export const get = (id) => json(at(id));
export const cancel = (id) => request(at(id, "/cancel"), { method: "POST" });
export const remove = (id) => request(at(id), { method: "DELETE" });
export const resultUrl = (id, format) => at(id, `/result?format=${format}`);
export const recordingUrl = (id) => at(id, "/recording");

/** Names that people gave: Map of number to name. */
export async function people(id) {
  const { items } = await json(at(id, "/people"));
  return new Map(items.filter((one) => one.name).map((one) => [one.id, one.name]));
}

export const namePerson = (id, person, name) =>
  request(at(id, `/people/${person}`), {
    method: "PUT",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ name }),
  });

/** Pictures and players send no key of their own: they need the cookie. */
export async function openSession() {
  if (key) await fetch(`${BASE}/session`, { method: "POST", headers: headersOf() }).catch(() => null);
}

function newToken() {
  if (crypto.randomUUID) return crypto.randomUUID();
  return [...crypto.getRandomValues(new Uint8Array(16))].map((b) => b.toString(16).padStart(2, "0")).join("");
}

/**
 * Send a file. Returns { done, abort, token }: `done` resolves to the new job. Trying again with the
 * same token never makes a second analysis of an upload that had arrived.
 */
export function upload(file, onProgress, token = newToken()) {
  const sender = new XMLHttpRequest();
  const done = new Promise((resolve, reject) => {
    sender.open("POST", `${BASE}/analyses`);
    sender.responseType = "text";
    sender.setRequestHeader("Idempotency-Key", token);
    sender.setRequestHeader("Accept", "application/json");
    for (const [name, value] of Object.entries(headersOf())) sender.setRequestHeader(name, value);
    sender.upload.addEventListener("progress", (event) => {
      if (event.lengthComputable) onProgress(event.loaded / event.total, event.loaded);
    });
    sender.addEventListener("load", () => {
      let said = {};
      try {
        said = JSON.parse(sender.responseText);
      } catch {
        /* the status has to do */
      }
      if (sender.status >= 200 && sender.status < 300) resolve(said);
      else reject(new Problem({ status: sender.status, title: said.title, detail: said.detail }));
    });
    sender.addEventListener("error", () => reject(new Problem(UNREACHED)));
    sender.addEventListener("abort", () => reject(new DOMException("given up", "AbortError")));
    const body = new FormData();
    body.append("file", file, file.name);
    sender.send(body);
  });
  return { done, token, abort: () => sender.abort() };
}

/** Follow a job until it ends or *signal* aborts; a lost stream is taken up again, ever less often. */
export async function follow(id, onJob, signal) {
  let wait = 500,
    last = "";
  while (!signal.aborted) {
    try {
      const headers = { Accept: "text/event-stream", ...(last && { "Last-Event-ID": last }) };
      const response = await request(at(id, "/events"), { headers, signal });
      if (response.status === 204) return;
      for await (const event of eventsOf(response.body)) {
        wait = 500;
        if (event.id) last = event.id;
        if (event.event === "deleted") {
          onJob(null);
          return;
        }
        if (!event.data) continue;
        const job = JSON.parse(event.data);
        onJob(job);
        if (ENDED.has(job.state)) return;
      }
    } catch (error) {
      if (signal.aborted || error.name === "AbortError" || error.status === 404) return;
    }
    await new Promise((resolve) => {
      setTimeout(resolve, wait);
    });
    wait = Math.min(8000, wait * 2);
  }
}

async function* eventsOf(body) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "",
    event = {};
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    const lines = (rest + value).split(/\r\n|\n|\r/u);
    rest = lines.pop();
    for (const line of lines) {
      if (line === "") {
        if (event.data !== undefined) yield event;
        event = {};
        continue;
      }
      const colon = line.indexOf(":");
      const field = colon < 0 ? line : line.slice(0, colon);
      const text = colon < 0 ? "" : line.slice(colon + 1).replace(/^ /u, "");
      if (field === "data") event.data = event.data === undefined ? text : `${event.data}\n${text}`;
      else if (field === "id" || field === "event") event[field] = text;
    }
  }
}

/** Fetch and pack a result away from the page's own thread. */
export async function loadTimeline(url) {
  let worker;
  try {
    worker = new Worker(new URL("./pack_worker.js", import.meta.url), { type: "module" });
  } catch {
    const { pack } = await import("./pack.js");
    return pack(await json(url));
  }
  const answer = await new Promise((resolve, reject) => {
    worker.addEventListener("message", (event) => resolve(event.data));
    worker.addEventListener("error", () => reject(new Problem({ title: "The result could not be read" })));
    worker.postMessage({ url: new URL(url, document.baseURI).href, headers: headersOf() });
  }).finally(() => worker.terminate());
  if (answer.packed) return answer.packed;
  if (answer.status === 401) {
    await request(url);
    return loadTimeline(url);
  }
  throw new Problem({ status: answer.status, detail: answer.failed });
}
