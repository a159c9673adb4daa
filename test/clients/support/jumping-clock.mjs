import http from 'node:http';

// Preloaded into the server: its clock is ten minutes later once a manifest is pushed, so that every token given out
// before has expired in the middle of the push.
const now = Date.now.bind(Date);
let ahead = 0;
Date.now = () => now() + ahead;
const { emit } = http.Server.prototype;
http.Server.prototype.emit = function (event, ...args) {
  const [request] = args;
  if (event === 'request' && request.method === 'PUT' && request.url.includes('/manifests/')) ahead = 600_000;
  return emit.call(this, event, ...args);
};
