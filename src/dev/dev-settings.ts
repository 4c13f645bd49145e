/** What a process of the app is started with, and the files that say so: another content of these needs another process. */

import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { MidflightError } from '../errors.ts';
import { LayeredMap } from '../protocol/layered-map.ts';
import { FORMAT_VERSION, settingsBefore } from '../protocol/manifest.ts';
import { readConfig, type Config } from '../release/config.ts';
import { findEntry } from '../release/entry.ts';
import type { StartScript } from '../release/start-script.ts';
import type { RunnableRelease } from '../supervisor/process-host.ts';

export interface DevSettings {
  readonly config: Config;
  /** In the shape that processes are started from; it is the tree itself. */
  readonly release: RunnableRelease;
  /** The digests of what a process is started from, by path relative to the root. */
  readonly startFiles: ReadonlyMap<string, string>;
}

export interface DevSource {
  readonly root: string;
  /** The entry that was named on the command line. */
  readonly entry: string | undefined;
}

const startFileNames = [
  'package.json',
  'package-lock.json',
  'npm-shrinkwrap.json',
  'pnpm-lock.yaml',
  'yarn.lock',
  'bun.lock',
  'tsconfig.json',
  'midflight.config.ts',
  'midflight.config.js',
  'midflight.config.mjs',
  'midflight.config.json',
];

/** Reads the configuration and package.json as they are now.
 *  Errors: those of the configuration and of the entry; ERR_MIDFLIGHT_ENVIRONMENT_MISSING. */
export async function readDevSettings({ root, entry }: DevSource): Promise<DevSettings> {
  const config = await readConfig(root);
  const { envFile } = config;
  if (envFile !== undefined && !existsSync(path.resolve(root, envFile)))
    throw new MidflightError('ERR_MIDFLIGHT_ENVIRONMENT_MISSING', [envFile]);
  const isCommand = config.command !== undefined && entry === undefined;
  const start = isCommand ? null : await findEntry(root, entry ?? config.entry, ['dev', 'start']);
  const nodeOptions = [...(start?.nodeOptions ?? []), ...config.nodeOptions];
  const named = nodeOptions.map((option) => /^--env-file(?:-if-exists)?=(.*)$/s.exec(option)?.[1]);
  const names = [...startFileNames, envFile, ...named].filter((name) => name !== undefined);
  return {
    config,
    release: toRelease({ root, config, start, nodeOptions }),
    startFiles: new Map(names.map((name) => [toPath(root, name), digest(root, name)])),
  };
}

/** Which of these files is not what the settings were read from. */
export function changedStartFiles(
  root: string,
  { startFiles }: DevSettings,
  paths: Iterable<string>,
): string[] {
  return [...paths].filter((at) => startFiles.has(at) && startFiles.get(at) !== digest(root, at));
}

function toPath(root: string, name: string): string {
  return path.relative(root, path.resolve(root, name)).split(path.sep).join('/');
}

function digest(root: string, name: string): string {
  try {
    return createHash('sha256')
      .update(readFileSync(path.resolve(root, name)))
      .digest('hex');
  } catch {
    // Not there, which is a content too.
    return '';
  }
}

interface ReleaseParts {
  readonly root: string;
  readonly config: Config;
  readonly start: StartScript | null;
  readonly nodeOptions: readonly string[];
}

function toRelease({ root, config, start, nodeOptions }: ReleaseParts): RunnableRelease {
  const {
    ready,
    readyTimeoutMs,
    drainTimeoutMs,
    quiesceTimeoutMs,
    envFile = null,
    keep,
    shared,
    upgraded,
    policy,
  } = config;
  return {
    location: { id: 'dev', root, manifestFile: '', store: '' },
    manifest: {
      formatVersion: FORMAT_VERSION,
      id: 'dev',
      createdAt: new Date().toISOString(),
      commit: null,
      isDirty: true,
      kind: start === null ? 'command' : 'node',
      entry: start?.entry ?? null,
      command: start === null ? (config.command ?? null) : null,
      listen: config.listen,
      modules: LayeredMap.of(),
      assets: {},
      dependenciesHash: null,
      nodeVersion: process.version,
      nodeOptions,
      args: start?.args ?? [],
      environment: { ...toColours(), ...start?.environment },
      environmentHash: null,
      workers: 1,
      contents: null,
      settings: {
        ready,
        readyTimeoutMs,
        stopSignal: config.stopSignal,
        drainTimeoutMs,
        quiesceTimeoutMs,
        probationMs: 0,
        health: null,
        envFile,
        keep,
        shared,
        upgraded,
        policy: { ...policy, maxRssMib: null },
        hooks: settingsBefore.hooks,
      },
    },
  };
}

/** The app's output goes through a pipe to where ours goes. */
function toColours(): Record<string, string> {
  return process.stdout.isTTY && process.env['NO_COLOR'] === undefined ? { FORCE_COLOR: '1' } : {};
}
