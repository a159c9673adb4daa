// What Node itself can do: sends the bytes of the source registry, each response fetched once, from memory.
// usage: node bare-server.mjs HOST PORT ORIGIN
import { createServer } from 'node:http';

const [host, port, origin] = process.argv.slice(2);
/** Responses by request target. */
const responses = new Map();

const server = createServer((request, response) => {
  const known = responses.get(request.url);
  if (known) {
    response.writeHead(200, known.headers);
    response.end(known.body);
    return;
  }
  void load(request).then(
    (loaded) => {
      responses.set(request.url, loaded);
      response.writeHead(200, loaded.headers);
      response.end(loaded.body);
    },
    (error) => {
      response.writeHead(502);
      response.end(String(error));
    },
  );
});

async function load({ url, headers }) {
  const reply = await fetch(`${origin}${url}`, { headers: headers.accept ? { accept: headers.accept } : {} });
  if (!reply.ok) throw new Error(`${url}: ${reply.status}`);
  const body = Buffer.from(await reply.arrayBuffer());
  const names = ['content-type', 'docker-content-digest', 'etag'];
  const kept = names.flatMap((name) => (reply.headers.has(name) ? [[name, reply.headers.get(name)]] : []));
  return { body, headers: { ...Object.fromEntries(kept), 'content-length': body.length } };
}

server.listen(Number(port), host);
