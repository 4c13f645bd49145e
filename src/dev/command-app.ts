/**
 * A program that is not Node under `midflight dev`: built and handed off on each save. Owns the builds.
 *
 * Invariants:
 * 1. One build runs at a time; what is saved meanwhile is in the next.
 * 2. A build that fails, or a program that does not serve, changes nothing: the process before goes on.
 */

import { statSync } from 'node:fs';
import path from 'node:path';
import { MidflightError } from '../errors.ts';
import { toErrorReport } from '../protocol/messages.ts';
import { runCommand } from '../release/command.ts';
import type { ProcessHost } from '../supervisor/process-host.ts';
import { createWorkersEnv } from '../supervisor/workers-env.ts';
import { createWorkers, type Workers } from '../supervisor/workers.ts';
import { createBuiltFiles, type BuiltFiles } from './built-files.ts';
import type { DevApp } from './dev-app.ts';
import type { Say } from './dev-notice.ts';
import { readDevSettings, type DevSettings, type DevSource } from './dev-settings.ts';
import { untilWritten } from './until-written.ts';

export interface CommandAppOptions {
  readonly source: DevSource;
  readonly host: ProcessHost;
  readonly say: Say;
}

/** Makes the app; nothing is built yet. */
export function createCommandApp(options: CommandAppOptions): DevApp {
  return new CommandApp(options);
}

class CommandApp implements DevApp {
  readonly #options: CommandAppOptions;
  readonly #workers: Workers;
  #changed = new Set<string>();
  readonly #built: BuiltFiles;
  #work: 'idle' | 'waiting' | 'building' | 'starting' | 'stopped' = 'idle';
  /** When what a build has taken in was written: one save may be told of more than once. */
  readonly #taken = new Map<string, number>();
  #drainTimeoutMs = 0;

  constructor(options: CommandAppOptions) {
    this.#options = options;
    this.#built = createBuiltFiles(options.source.root);
    const { host, say, source } = options;
    const log = (message: string): void => say({ type: 'log', message });
    this.#workers = createWorkers(createWorkersEnv({ host, appDirectory: source.root, log }));
  }

  async start(): Promise<void> {
    await this.#want(['everything']);
  }

  notice(paths: readonly string[]): void {
    const changed = paths.filter(
      (at) => this.#taken.get(at) !== this.#writtenAt(at) && !this.#built.isBuilt(at),
    );
    if (changed.length > 0) void this.#want(changed);
  }

  noticeAny(): void {
    void this.#want(['everything']);
  }

  handoff(reason: string): void {
    void this.#want([reason]);
  }

  async undo(): Promise<void> {
    throw new MidflightError('ERR_MIDFLIGHT_INVALID_STATE', [
      'A program that is not Node has no swap to go back from',
    ]);
  }

  async chainsTo(): Promise<[]> {
    return [];
  }

  knows(): boolean {
    return false;
  }

  async stop(): Promise<void> {
    this.#work = 'stopped';
    await this.#workers.stop(this.#drainTimeoutMs);
  }

  /** In milliseconds; 0 for what is not there. */
  #writtenAt(at: string): number {
    return statSync(path.join(this.#options.source.root, at), { throwIfNoEntry: false })?.mtimeMs ?? 0;
  }

  async #want(changed: readonly string[]): Promise<void> {
    for (const at of changed) this.#changed.add(at);
    if (this.#work !== 'idle') return;
    while (this.#changed.size > 0 && !this.#isStopped()) {
      this.#work = 'waiting';
      await untilWritten(this.#options.source.root, this.#changed);
      const paths = [...this.#changed];
      this.#changed = new Set();
      for (const at of paths) this.#taken.set(at, this.#writtenAt(at));
      await this.#replace(paths);
    }
    if (!this.#isStopped()) this.#work = 'idle';
  }

  #isStopped(): boolean {
    return this.#work === 'stopped';
  }

  async #replace(changed: readonly string[]): Promise<void> {
    const { say, source, host } = this.#options;
    const startedAt = performance.now();
    const isFirst = this.#workers.currentRelease() === null;
    try {
      const settings = await readDevSettings(source);
      this.#drainTimeoutMs = settings.config.drainTimeoutMs;
      await this.#build(settings, changed);
      if (this.#isStopped()) return;
      this.#work = 'starting';
      if (isFirst) await this.#workers.start(settings.release);
      else await this.#workers.handoff(settings.release);
      const durationMs = performance.now() - startedAt;
      const pid = (await this.#workers.status()).find(({ state }) => state === 'serving')?.pid ?? 0;
      const addresses = (await host.listeners()).map(({ address }) => address);
      if (isFirst) say({ type: 'serving', addresses, pid, modules: 0, durationMs });
      else say({ type: 'handed-off', pid, durationMs });
    } catch (error) {
      if (this.#isStopped()) return;
      const problem = { error: toErrorReport(error), importChain: [] };
      say({ type: isFirst ? 'start-failed' : 'handoff-failed', ...problem });
    }
  }

  async #build({ config }: DevSettings, changed: readonly string[]): Promise<void> {
    if (config.build === undefined) return;
    this.#options.say({ type: 'building', changed });
    this.#work = 'building';
    const { root } = this.#options.source;
    const bin = path.join(root, 'node_modules', '.bin');
    const env = { ...process.env, PATH: `${bin}${path.delimiter}${process.env['PATH'] ?? ''}` };
    this.#built.begin();
    let hasSucceeded = false;
    try {
      const options = { cwd: root, timeoutMs: config.buildTimeoutMs, env, shell: true };
      const result = await runCommand(config.build, [], options);
      hasSucceeded = result.exitCode === 0;
      if (!hasSucceeded)
        throw new MidflightError('ERR_MIDFLIGHT_BUILD_FAILED', [config.build, result.output]);
    } finally {
      this.#built.end(hasSucceeded);
    }
  }
}
