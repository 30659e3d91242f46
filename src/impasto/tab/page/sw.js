// Keeps the whole page, so that it works without a network and a second visit loads nothing.
const kept = { key: "", files: [] };
const scope = self.registration.scope;
const name = `impasto-tab ${scope} ${kept.key}`;
// With these a page may use threads. They count from the second visit on, when pages come from here.
const isolated = { "cross-origin-opener-policy": "same-origin", "cross-origin-embedder-policy": "require-corp" };
const policy = "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; style-src 'self'; img-src 'self' blob: data:; "
  + "connect-src 'self'; worker-src 'self'; manifest-src 'self'; media-src blob: mediastream:; base-uri 'none'; form-action 'none'";

self.addEventListener("install", (event) => {
  event.waitUntil(caches.open(name).then((cache) => cache.addAll(["./", ...kept.files].map((file) => new Request(new URL(file, scope), { cache: "no-cache" })))));
});

self.addEventListener("activate", (event) => {
  event.waitUntil((async () => {
    for (const other of await caches.keys()) if (other.startsWith(`impasto-tab ${scope} `) && other !== name) await caches.delete(other);
    await self.clients.claim();
  })());
});

self.addEventListener("fetch", (event) => {
  if (event.request.method !== "GET" || !event.request.url.startsWith(scope)) return;
  event.respondWith((async () => {
    const found = await (await caches.open(name)).match(event.request, { ignoreSearch: true }) ?? await fetch(event.request);
    if (!found.ok || found.type === "opaqueredirect") return found;
    const headers = new Headers(found.headers);
    for (const [key, value] of Object.entries({ ...isolated, "content-security-policy": policy })) headers.set(key, value);
    headers.delete("content-encoding");
    headers.delete("content-length");
    return new Response(found.body, { status: found.status, headers });
  })());
});
