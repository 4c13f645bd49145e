import assert from 'node:assert/strict';
import type { IncomingMessage } from 'node:http';
import { test } from 'node:test';
import { WebSocketServer, type WebSocket } from 'ws';
import { createWebSocketRegistry } from '../../../src/runtime/web-sockets/web-socket-registry.ts';
import { carryWebSockets } from '../../../src/ws.ts';

const options = { save: () => 1, restore: () => undefined };

test('where Midflight does not run, a server is left as it is', () => {
  const server = new WebSocketServer({ noServer: true });
  carryWebSockets(server, options);
  assert.deepEqual(
    ['completeUpgrade', 'close'].filter((method) => Object.hasOwn(server, method)),
    [],
  );
});

test('what is no server of ws, and options that can not be, are refused with the reason', () => {
  const server = new WebSocketServer({ noServer: true });
  const bad: readonly [unknown, object, RegExp][] = [
    [null, options, /it is null/],
    [new Map(), options, /it is a Map/],
    [{ completeUpgrade: () => undefined, options: {} }, options, /older than 8/],
    [server, { save: () => 1 }, /"save" and "restore" must be functions/],
    [server, { ...options, forget: 1 }, /"forget"/],
    [server, { ...options, name: '' }, /"name"/],
    [server, { ...options, swap: 'go' }, /"swap" is "go"/],
  ];
  for (const [value, given, message] of bad) {
    assert.throws(() => carryWebSockets(value as WebSocketServer, given as typeof options), {
      code: 'ERR_MIDFLIGHT_WEB_SOCKETS_INVALID',
      message,
    });
  }
});

test('two servers need two names, and connections go to the server of their name', (t) => {
  const registry = createWebSocketRegistry({ current: () => null });
  t.after(() => registry.dispose());
  const [one, other] = [new WebSocketServer({ noServer: true }), new WebSocketServer({ noServer: true })];
  const admin = new WebSocketServer({ noServer: true, path: '/admin' });
  carryWebSockets(one, options);
  carryWebSockets(admin, options);
  assert.throws(() => carryWebSockets(other, options), { code: 'ERR_MIDFLIGHT_WEB_SOCKETS_CONFLICT' });
  carryWebSockets(other, { ...options, name: 'other' });
  assert.deepEqual(
    ['/', '/admin', 'other', 'none'].map((name) => registry.find(name)?.server as unknown),
    [one, admin, other, undefined],
  );
});

test('what restore gets has the type of what save returns', () => {
  carryWebSockets(new WebSocketServer({ noServer: true }), {
    save: (webSocket: WebSocket) => ({ room: webSocket.protocol }),
    restore(webSocket, { room }, request) {
      const types: [string, IncomingMessage, WebSocket] = [room, request, webSocket];
      // @ts-expect-error: it is a text.
      const wrong: number = room;
      webSocket.send([types.length, wrong].join(' '));
    },
  });
});
