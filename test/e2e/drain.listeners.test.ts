/** Every kind of server in one app, on every kind of address, across a swap and a handoff: each answers with the new code. */

import assert from 'node:assert/strict';
import { once } from 'node:events';
import http, { type IncomingMessage } from 'node:http';
import http2 from 'node:http2';
import https from 'node:https';
import net, { type AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { test } from 'node:test';
import tls from 'node:tls';
import { cert, key } from '../runtime/servers-certificate.ts';
import { createTestApp, type Files } from '../support/app.ts';

const toFiles = (version: string): Files => ({
  'certificate.js': `export const key = \`${key}\`;\nexport const cert = \`${cert}\`;\n`,
  'server.js': `import http from 'node:http';
import http2 from 'node:http2';
import https from 'node:https';
import net from 'node:net';
import tls from 'node:tls';
import { cert, key } from './certificate.js';
const port = Number(process.env.PORT);
const host = '127.0.0.1';
const answer = (request, response) => response.end('${version}');
const greet = (socket) => socket.on('error', () => {}).on('data', () => socket.write('${version}')).write('${version}');
const servers = {
  sameOtherHost: http.createServer(answer).listen(port, '127.0.0.2'),
  unix: http.createServer(answer).listen(process.env.SOCKET),
  dual: http.createServer(answer).listen(0, '::'),
  ipv6Only: http.createServer(answer).listen({ port: 0, host: '::1', ipv6Only: true }),
  one: http.createServer(answer).listen(0, host),
  two: http.createServer(answer).listen(0, host),
  https: https.createServer({ key, cert }, answer).listen(0, host),
  h2c: http2.createServer(answer).listen(0, host),
  h2: http2.createSecureServer({ key, cert, allowHTTP1: true }, answer).listen(0, host),
  net: net.createServer(greet).listen(0, host),
  tls: tls.createServer({ key, cert }, greet).listen(0, host),
};
http
  .createServer((request, response) => {
    const entries = Object.entries(servers).map(([name, server]) => [name, server.address()]);
    response.end(JSON.stringify(Object.fromEntries(entries)));
  })
  .listen(port, host);
`,
});

type Name = 'sameOtherHost' | 'dual' | 'ipv6Only' | 'one' | 'two' | 'https' | 'h2c' | 'h2' | 'net' | 'tls';
type Addresses = Readonly<Record<Name, AddressInfo>> & { readonly unix: string };

async function getOver(request: http.ClientRequest): Promise<string> {
  const [response] = (await once(request, 'response')) as [IncomingMessage];
  return text(response);
}

async function greeting(socket: net.Socket): Promise<string> {
  const [data] = (await once(socket, 'data')) as [Buffer];
  return data.toString();
}

async function ask(session: http2.ClientHttp2Session): Promise<string> {
  return text(session.request({ ':path': '/' }));
}

/** What each address answers over a new connection. */
async function askAll(addresses: Addresses): Promise<Set<string>> {
  const plain = (host: string, name: Name) =>
    getOver(http.get({ host, port: addresses[name].port, agent: false }));
  const host = '127.0.0.1';
  const greet = async (socket: net.Socket): Promise<string> => {
    const answer = await greeting(socket);
    socket.destroy();
    return answer;
  };
  const single = async (origin: string): Promise<string> => {
    const session = http2.connect(origin, { ca: cert });
    const answer = await ask(session);
    session.close();
    return answer;
  };
  const answers = await Promise.all([
    plain('127.0.0.2', 'sameOtherHost'),
    getOver(http.get({ socketPath: addresses.unix, agent: false })),
    plain('127.0.0.1', 'dual'),
    plain('::1', 'dual'),
    plain('::1', 'ipv6Only'),
    plain(host, 'one'),
    plain(host, 'two'),
    getOver(https.get({ host, port: addresses.https.port, ca: cert, agent: false })),
    getOver(https.get({ host, port: addresses.h2.port, ca: cert, agent: false })),
    single(`http://${host}:${addresses.h2c.port}`),
    single(`https://${host}:${addresses.h2.port}`),
    greet(net.connect(addresses.net.port, host)),
    greet(tls.connect({ port: addresses.tls.port, host, ca: cert })),
  ]);
  return new Set(answers);
}

/** Asks over one session as long as it is open, then over the next, until `last` has answered. Nothing is asked twice. */
async function askOn(origin: string, last: string): Promise<Set<string>> {
  const versions = new Set<string>();
  while (!versions.has(last)) {
    const session = http2.connect(origin, { ca: cert });
    await once(session, 'connect');
    const lane = async (): Promise<void> => {
      while (!session.closed && !session.destroyed && !versions.has(last)) versions.add(await ask(session));
    };
    await Promise.all([lane(), lane(), lane()]);
    session.close();
  }
  return versions;
}

test('http, https, http2, net and tls servers on ports, chosen ports, both stacks and a Unix path go through a swap and a handoff', async (t) => {
  const app = await createTestApp({
    files: toFiles('one'),
    config: { entry: 'server.js', probationMs: 100 },
    environment: { SOCKET: `/tmp/midflight-drain-${process.pid}.sock` },
  });
  t.after(() => app.dispose());
  await app.start();
  const addresses = JSON.parse(await app.get()) as Addresses;
  assert.deepEqual(await askAll(addresses), new Set(['one']));
  const asking = Promise.all([
    askOn(`http://127.0.0.1:${addresses.h2c.port}`, 'three'),
    askOn(`https://127.0.0.1:${addresses.h2.port}`, 'three'),
  ]);
  const kept = net.connect(addresses.net.port, '127.0.0.1');
  await greeting(kept);
  for (const [version, path] of [
    ['two', 'swap'],
    ['three', 'handoff'],
  ] as const) {
    app.commit(toFiles(version));
    const { json } = await app.midflight('deploy', '--json', '--path', path);
    assert.deepEqual([json['path'], json['result']], [path, 'committed'], JSON.stringify(json));
    assert.deepEqual(JSON.parse(await app.get()), addresses);
    assert.deepEqual(await askAll(addresses), new Set([version]));
  }
  kept.write('?');
  assert.equal(await greeting(kept), 'one');
  kept.destroy();
  for (const versions of await asking) assert.deepEqual([...versions], ['one', 'two', 'three']);
});
