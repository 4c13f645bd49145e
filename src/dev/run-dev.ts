/** Composes `midflight dev`: the app, its listeners, and the watcher of its tree. */

import { existsSync, mkdirSync, realpathSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { toHome } from '../release/home.ts';
import { createListeners } from '../supervisor/listeners.ts';
import { createLocalHost } from '../supervisor/local-host.ts';
import { createCommandApp } from './command-app.ts';
import type { DevApp } from './dev-app.ts';
import type { DevNotice, Say } from './dev-notice.ts';
import { readDevSettings } from './dev-settings.ts';
import { withoutIgnored } from './git-ignored.ts';
import { findLinkedPackages } from './linked-packages.ts';
import { createNodeApp } from './node-app.ts';
import { watchTree, type TreeWatch } from './tree-watch.ts';
import { createTypeCheck } from './type-check.ts';

/** What a developer wants to look back on. */
const HISTORY_LENGTH_MAX = 100;

/** After these other code runs than before. */
const bringsCode: ReadonlySet<DevNotice['type']> = new Set(['serving', 'swapped', 'handed-off']);

export interface DevOptions {
  readonly directory: string;
  /** The entry that was named on the command line, relative to the directory. */
  readonly entry: string | undefined;
  readonly typecheck: boolean;
  readonly say: Say;
}

export interface PastNotice {
  readonly at: Date;
  readonly notice: DevNotice;
}

export interface Dev {
  handoff(): void;
  undo(): void;
  /** What happened, oldest first. */
  history(): readonly PastNotice[];
  stop(): Promise<void>;
}

/** Starts the app and goes on until it is stopped; an app that does not start is started again when it is mended.
 *  Errors: those of the configuration and of the entry, before anything has started. */
export async function runDev(options: DevOptions): Promise<Dev> {
  const root = realpathSync(options.directory);
  const source = { root, entry: options.entry };
  const past: PastNotice[] = [];
  const typeCheck = options.typecheck
    ? createTypeCheck({ root, say: (notice) => say(notice), chainsTo: (paths) => app.chainsTo(paths) })
    : null;
  const say: Say = (notice) => {
    if (bringsCode.has(notice.type)) typeCheck?.check();
    past.push({ at: new Date(), notice });
    if (past.length > HISTORY_LENGTH_MAX) past.shift();
    options.say(notice);
  };
  const { release } = await readDevSettings(source);
  createHome(root);
  const listeners = createListeners();
  const createApp = release.manifest.kind === 'command' ? createCommandApp : createNodeApp;
  const app = createApp({ source, host: createLocalHost({ listeners, sinks: [process.stdout] }), say });
  const watch = await watchTree({
    root,
    onChange: (paths) => void pass(app, root, paths),
    onError: (error) => {
      say({ type: 'log', message: `the watcher failed: ${error.message}` });
      app.noticeAny();
    },
  });
  const isCommand = release.manifest.kind === 'command';
  const linked = isCommand ? [] : await watchLinked(root, (reason) => app.handoff(reason));
  await app.start();
  return {
    handoff: () => app.handoff('you asked for it'),
    undo: () => void app.undo().catch((error: Error) => say({ type: 'log', message: error.message })),
    history: () => past,
    async stop() {
      typeCheck?.stop();
      await Promise.all([watch, ...linked].map(async (each) => each.close()));
      await app.stop();
      listeners.close();
    },
  };
}

/** Packages of the same workspace that are no modules of the app: what changes there takes another process. */
async function watchLinked(root: string, handoff: (reason: string) => void): Promise<TreeWatch[]> {
  const watches = [...findLinkedPackages(root)].map(async ([directory, name]) => {
    const at = path.relative(root, directory);
    const reason = `${name} (${at}) differs, and is outside of this directory, so that Node keeps what it has loaded`;
    return watchTree({ root: directory, onChange: () => handoff(reason), onError: () => handoff(reason) });
  });
  return Promise.all(watches);
}

/** So many changes at once may be more than the system's queue of them holds. */
const CHANGES_MAX = 1_000;

const KNOWN_DELAY_MS = 20;

/** What is known, and of the rest what git does not ignore. */
async function pass(app: DevApp, root: string, paths: readonly string[]): Promise<void> {
  if (paths.length > CHANGES_MAX) app.noticeAny();
  const known = paths.filter((at) => app.knows(at));
  // A worker has its own quick news of its modules; these are for what that missed, and must not compete with the swap.
  if (known.length > 0) setTimeout(() => app.notice(known), KNOWN_DELAY_MS);
  const others = await withoutIgnored(
    root,
    paths.filter((at) => !app.knows(at)),
  );
  if (others.length > 0) app.notice(others);
}

/** Transformed files are kept there; a tree that nobody deploys from has not been told yet that it is not its own. */
function createHome(root: string): void {
  const { directory } = toHome(root);
  if (existsSync(directory)) return;
  mkdirSync(directory, { mode: 0o700 });
  writeFileSync(path.join(directory, '.gitignore'), '*\n');
}
