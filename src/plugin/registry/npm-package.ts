/** A package as npm packs it, unpacked: from a registry of npm, a tarball or a folder. Nothing of it is run. */

import { createReadStream, mkdirSync, readdirSync } from 'node:fs';
import path from 'node:path';
import { pipeline } from 'node:stream/promises';
import { createGunzip } from 'node:zlib';
import { unpackTar } from 'modern-tar/fs';
import { MidflightError } from '../../errors.ts';
import { createBundleGuard, type TarRules } from '../../release/bundle-guard.ts';
import { runCommand } from '../../release/command.ts';
import { PLUGIN_BYTES_MAX } from './stage-tree.ts';

const FETCH_TIMEOUT_MS = 120_000;
/** More of what npm prints explains nothing. */
const OUTPUT_LENGTH_MAX = 2_000;

const rules: TarRules = {
  isPlace: (name) => name !== '',
  what: 'package',
  code: 'ERR_MIDFLIGHT_PLUGIN_INVALID',
};

/** Unpacks into a new folder below `directory`, and returns that.
 *  Errors: ERR_MIDFLIGHT_PLUGIN_FETCH_FAILED, ERR_MIDFLIGHT_PLUGIN_INVALID. */
export async function fetchPackage(spec: string, directory: string): Promise<string> {
  const packed = path.join(directory, 'packed');
  mkdirSync(packed, { recursive: true });
  const failed = (output: string): MidflightError =>
    new MidflightError('ERR_MIDFLIGHT_PLUGIN_FETCH_FAILED', [spec, output.slice(-OUTPUT_LENGTH_MAX)]);
  // A script of the package would run as whoever publishes.
  const args = ['pack', '--ignore-scripts', '--pack-destination', packed, '--', spec];
  const options = { cwd: process.cwd(), timeoutMs: FETCH_TIMEOUT_MS };
  const result = await runCommand('npm', args, options).catch((error: unknown) => {
    throw failed(String(error));
  });
  if (result.timedOut) throw failed(`it has not ended after ${FETCH_TIMEOUT_MS} ms`);
  const [tarball, ...others] = readdirSync(packed).filter((file) => file.endsWith('.tgz'));
  if (result.exitCode !== 0 || tarball === undefined || others.length > 0) throw failed(result.output);
  const target = path.join(directory, 'unpacked');
  await unpackPackage(spec, path.join(packed, tarball), target);
  return target;
}

/** Errors: ERR_MIDFLIGHT_PLUGIN_INVALID for what is no tarball of plain files. */
export async function unpackPackage(spec: string, tarball: string, target: string): Promise<void> {
  const guard = createBundleGuard(spec, PLUGIN_BYTES_MAX, rules);
  const refuse = (problem: string, cause?: unknown): never => {
    throw new MidflightError('ERR_MIDFLIGHT_PLUGIN_INVALID', [spec, problem], { cause });
  };
  mkdirSync(target, { recursive: true });
  const unpack = unpackTar(target, {
    strict: true,
    // All are below one folder, of any name; those that are looked at are without it.
    strip: 1,
    fmode: 0o644,
    filter: (header) => {
      const { type = 'file', name } = header;
      if (type === 'directory') return false;
      if (type !== 'file') refuse(`${name} is a link, or no file`);
      return guard.isWanted(header);
    },
  });
  try {
    await pipeline(createReadStream(tarball), createGunzip(), guard.limit, unpack);
  } catch (error) {
    if (error instanceof MidflightError) throw error;
    refuse(`it can't be unpacked: ${(error as Error).message}`, error);
  }
}
