import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { takeServiceEnvironment } from '../../src/supervisor/service-environment.ts';
import { createServiceNotifier, type ServiceNotifierOptions } from '../../src/supervisor/service-notifier.ts';
import { createNotifyReceiver } from '../support/notify-receiver.ts';

const toOptions = (options: Partial<ServiceNotifierOptions>): ServiceNotifierOptions => ({
  socket: '',
  mainPid: null,
  watchdogMs: null,
  log: (message) => assert.fail(message),
  checkAlive: async () => {},
  ...options,
});

test('what is told arrives as systemd wants it, at a socket in the file system and at an abstract one', async (t) => {
  const directory = mkdtempSync(path.join(tmpdir(), 'midflight-notify-'));
  t.after(() => rmSync(directory, { recursive: true, force: true }));
  for (const socket of [path.join(directory, 'notify'), `@midflight-test-${process.pid}`]) {
    const receiver = await createNotifyReceiver(t, socket);
    const notifier = createServiceNotifier(toOptions({ socket, mainPid: 4711 }));
    const work = Promise.withResolvers<void>();
    notifier.extendWhile(work.promise);
    notifier.status('release\none');
    notifier.ready('release one serves');
    notifier.reloading();
    notifier.stopping();
    work.resolve();
    await receiver.waitFor(/STOPPING/);
    await notifier.close();
    const [extension, status, ready, reloading = '', stopping] = receiver.messages;
    assert.equal(extension, 'EXTEND_TIMEOUT_USEC=30000000');
    assert.equal(status, 'STATUS=release one');
    assert.equal(ready, 'READY=1 STATUS=release one serves MAINPID=4711');
    const [, usec] = /^RELOADING=1 MONOTONIC_USEC=(\d+)$/.exec(reloading) ?? [];
    assert.ok(Math.abs(Number(usec) / 1_000 - Number(process.hrtime.bigint()) / 1e6) < 60_000, reloading);
    assert.match(stopping ?? '', /^STOPPING=1 /);
  }
});

test('signs of life are given once it is ready, and only while all is well', async (t) => {
  const socket = `@midflight-test-life-${process.pid}`;
  const receiver = await createNotifyReceiver(t, socket);
  const failed = Promise.withResolvers<string>();
  let isWell = true;
  const notifier = createServiceNotifier(
    toOptions({
      socket,
      watchdogMs: 40,
      log: failed.resolve,
      checkAlive: async () => {
        if (!isWell) throw new Error('it hangs');
      },
    }),
  );
  notifier.ready('one');
  await receiver.waitFor(/WATCHDOG=1/, 2);
  isWell = false;
  assert.match(await failed.promise, /it hangs/);
  notifier.status('after');
  await receiver.waitFor(/after/);
  const seen = receiver.messages.length;
  notifier.status('later');
  await receiver.waitFor(/later/);
  assert.equal(receiver.messages.slice(seen).includes('WATCHDOG=1'), false);
  await notifier.close();
});

function withPath<Result>(value: string, act: () => Result): Result {
  const { PATH } = process.env;
  process.env['PATH'] = value;
  try {
    return act();
  } finally {
    process.env['PATH'] = PATH;
  }
}

test('without perl, systemd-notify sends the messages', async (t) => {
  const directory = mkdtempSync(path.join(tmpdir(), 'midflight-notify-'));
  t.after(() => rmSync(directory, { recursive: true, force: true }));
  symlinkSync('/usr/bin/systemd-notify', path.join(directory, 'systemd-notify'));
  const socket = `@midflight-test-fallback-${process.pid}`;
  const receiver = await createNotifyReceiver(t, socket);
  const notifier = withPath(directory, () => createServiceNotifier(toOptions({ socket, mainPid: 4711 })));
  notifier.ready('release * serves');
  assert.equal(await receiver.waitFor(/READY/), 'READY=1 STATUS=release * serves MAINPID=4711');
  await notifier.close();
});

test('with neither, one line is logged and nothing else happens', async () => {
  const logged: string[] = [];
  const hasLogged = Promise.withResolvers<void>();
  const log = (message: string): void => {
    logged.push(message);
    hasLogged.resolve();
  };
  const options = toOptions({ socket: '/run/notify', log });
  const notifier = withPath('/nowhere', () => createServiceNotifier(options));
  notifier.ready('one');
  notifier.stopping();
  await hasLogged.promise;
  await notifier.close();
  assert.deepEqual(logged, [
    'the service manager is not told all, at /run/notify: neither perl nor systemd-notify is installed',
  ]);
});

test('a socket where nobody listens is logged and nothing else happens', async () => {
  const logged = Promise.withResolvers<string>();
  const socket = `@midflight-test-nobody-${process.pid}`;
  const notifier = createServiceNotifier(toOptions({ socket, log: logged.resolve }));
  notifier.ready('one');
  assert.equal(await logged.promise, `the service manager is not told all, at ${socket}: Connection refused`);
  await notifier.close();
});

test('what the service manager says is taken out of the environment', () => {
  const environment = {
    PATH: '/bin',
    NOTIFY_SOCKET: '/run/notify',
    WATCHDOG_USEC: '30000000',
    WATCHDOG_PID: '12',
    LISTEN_FDS: '2',
    LISTEN_PID: '12',
    LISTEN_FDNAMES: 'a:b',
  };
  assert.deepEqual(takeServiceEnvironment(environment), {
    notifySocket: '/run/notify',
    watchdogMs: 30_000,
    listenFds: '2',
    listenPid: '12',
    listenFdNames: 'a:b',
  });
  assert.deepEqual(environment, { PATH: '/bin' });
});
