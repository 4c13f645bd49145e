/** The process that `midflight dev` runs an app in: compiles it, watches its modules, and swaps what changes. */

import { mkdirSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { createRuntime, type Runtime } from '../deploy/create-runtime.ts';
import type {
  DevEvent,
  DevLoadAnswer,
  DevLoadOptions,
  DevRequest,
  DevStateAnswer,
} from '../protocol/dev-messages.ts';
import { toErrorReport, type StateFailure } from '../protocol/messages.ts';
import { protocols } from '../protocol/versions.ts';
import { openChannel } from '../runtime/channel.ts';
import type { ListenAddress } from '../runtime/servers/listen-address.ts';
import type { ListenerHandle } from '../runtime/servers/listener-source.ts';
import type { EncodedState } from '../runtime/state-entry.ts';
import { receiveStates, sendStates } from '../runtime/state-transfer.ts';
import { stateRegistry } from '../runtime/state.ts';
import { createDirectoryWatch } from '../release/directory-watch.ts';
import { createGitLock } from './git-lock.ts';
import type { FileStamps } from './seen-files.ts';
import { createSwapLoop, toProblem, type SwapLoop } from './swap-loop.ts';
import { warmUp } from './warm-up.ts';

// The app finds its entry where it is used to.
process.argv.splice(1, 1);

const channel = openChannel<DevRequest, DevEvent>({
  onRequest,
  // Nobody could end this process any more, and whoever ended the parent has ended the work on the app.
  onDisconnect: () => process.exit(0),
});
/** Until it is asked to load: news of files, and states, may come before. */
const endWait = channel.hold();

interface Loaded {
  readonly runtime: Runtime;
  readonly loop: SwapLoop;
  /** News from the watcher of the tree. */
  notice(paths: readonly string[]): void;
}

let loaded: Loaded | null = null;
/** States of the process before; the app is not loaded yet. */
let copies: readonly EncodedState[] = [];
/** News that came while the app was being loaded. */
const early: string[] = [];

async function onRequest(request: DevRequest): Promise<unknown> {
  if (request.type === 'load') endWait();
  const release = channel.hold();
  try {
    switch (request.type) {
      case 'load':
        return await load(request.options);
      case 'files':
        if (loaded === null) early.push(...request.paths);
        loaded?.notice(request.paths);
        return null;
      case 'undo':
        return await loaded?.loop.undo();
      case 'chains':
        return request.paths.map((at) => loaded?.runtime.chainTo(at) ?? []);
      case 'receiveState':
        return await receiveCopies(request.path, request.timeoutMs);
      case 'sendState':
        return await sendCopies(request.path, request.timeoutMs);
      case 'leave':
        loaded?.loop.stop();
        return await loaded?.runtime.leave(request.timeoutMs);
    }
  } finally {
    release();
  }
}

/** Most apps listen within this time after they have been loaded. */
const LISTEN_MS = 1_000;
const bound = Promise.withResolvers<void>();
/** Wishes to listen that have no answer yet. */
let askedCount = 0;

/** The process lives until the handle that it gets does listen. */
async function acquire(target: ListenAddress): Promise<ListenerHandle> {
  const release = channel.hold();
  askedCount += 1;
  try {
    const handle = (await channel.requestListener(target)) as ListenerHandle;
    setImmediate(bound.resolve);
    return handle;
  } finally {
    askedCount -= 1;
    setImmediate(release);
  }
}

async function load(options: DevLoadOptions): Promise<DevLoadAnswer> {
  const { root, entry, ready, readyTimeoutMs, maxRetained } = options;
  const startedAt = performance.now();
  let runtime: Runtime | null = null;
  try {
    runtime = createRuntime({
      root,
      entry,
      ready,
      readyTimeoutMs,
      cacheDirectory: path.join(root, '.midflight', 'cache'),
      listeners: { acquire },
    });
    stateRegistry()?.receive(copies, { isEarly: true });
    copies = [];
    await runtime.load();
  } catch (error) {
    return { status: 'failed', ...toProblem(error, runtime) };
  }
  loaded = watchModules(root, runtime, maxRetained);
  loaded.loop.notice(early);
  const durationMs = performance.now() - startedAt;
  if (ready === 'load') await untilBound(readyTimeoutMs);
  return { status: 'loaded', durationMs, moduleCount: runtime.files().length };
}

/** An app that has asked to listen is waited for where the answer takes its time. */
async function untilBound(timeoutMs: number): Promise<void> {
  await Promise.race([bound.promise, sleep(LISTEN_MS, undefined, { ref: false })]);
  if (askedCount > 0) await Promise.race([bound.promise, sleep(timeoutMs, undefined, { ref: false })]);
}

async function receiveCopies(at: string, timeoutMs: number): Promise<void> {
  mkdirSync(path.dirname(at), { recursive: true });
  await receiveStates({
    path: at,
    timeoutMs,
    wanted: () => new Map(),
    async take(states) {
      copies = states;
      return [];
    },
  });
}

/** What is written after this is lost: nobody waits for that while an app is being worked on. */
async function sendCopies(at: string, timeoutMs: number): Promise<DevStateAnswer> {
  const failures: StateFailure[] = [];
  await sendStates({
    path: at,
    timeoutMs,
    encode: (wanted) => stateRegistry()?.encode(wanted) ?? [],
    onProblem: ({ name, error }) => void failures.push({ name, error: toErrorReport(error) }),
  });
  return failures;
}

let isCrowded = false;
let relieving: NodeJS.Timeout | undefined;
/** Memory is looked at when nothing has been saved for so long: that may take some milliseconds. */
const RELIEVE_AFTER_MS = 2_000;

function relieveLater(runtime: Runtime, maxRetained: number): void {
  clearTimeout(relieving);
  relieving = setTimeout(() => void relieve(runtime, maxRetained), RELIEVE_AFTER_MS).unref();
}

/** Memory is bounded whatever the app does: another process is asked for, once. */
async function relieve(runtime: Runtime, maxRetained: number): Promise<void> {
  const count = await runtime.countRetained(maxRetained);
  if (isCrowded || count <= maxRetained) return;
  isCrowded = true;
  const reason = `${count} replaced generations are still held, more than policy.maxRetained (${maxRetained}) allows`;
  channel.emit({ type: 'unswappable', reasons: [reason] });
}

/** Ends when there is a swap to make. */
const warming = new AbortController();

function watchModules(root: string, runtime: Runtime, maxRetained: number): Loaded {
  const gitLock = createGitLock(root);
  const onSeen = (stamps: FileStamps): void => channel.emit({ type: 'seen', stamps });
  const loop = createSwapLoop({ root, runtime, gitLock, emit, onModules, onSeen });
  function emit(event: DevEvent): void {
    channel.emit(event);
    if (event.type === 'swapped') relieveLater(runtime, maxRetained);
  }
  const watch = createDirectoryWatch((file) => {
    const at = path.relative(root, file).split(path.sep).join('/');
    // Others come from the watcher of the tree, which knows what is to be ignored.
    if (runtime.isUnchanged(at) === false) {
      warming.abort();
      loop.notice([at]);
    } else if (watch.follows(file)) refresh();
  });
  /** The files of a directory that was replaced have changed unseen. */
  function refresh(): void {
    const replaced = new Set(watch.refresh());
    if (replaced.size === 0) return;
    loop.notice(runtime.files().filter((at) => replaced.has(path.join(root, path.dirname(at)))));
  }
  function onModules(): void {
    watch.follow(runtime.files().map((at) => path.join(root, path.dirname(at))));
    channel.emit({ type: 'modules', paths: runtime.files() });
  }
  onModules();
  warmUp(root, runtime.files(), warming.signal).catch(() => {
    // There is something to do, or a file is not what it was when it was loaded.
  });
  return {
    runtime,
    loop,
    notice(paths) {
      refresh();
      loop.notice(paths);
    },
  };
}

channel.emit({ type: 'hello', protocol: protocols.worker, pid: process.pid });
