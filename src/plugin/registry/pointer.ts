/** Which version of a plugin is in use, and which were before: one small file each, replaced as a whole. */

import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { MidflightError } from '../../errors.ts';
import { toPointerFile, type Registry } from './registry.ts';

export interface Pointer {
  readonly version: string;
  /** Those before it, the last first. */
  readonly before: readonly string[];
}

/** Further back nobody goes. */
const BEFORE_COUNT_MAX = 20;

/** Null where no version is in use. Errors: ERR_MIDFLIGHT_PLUGIN_REGISTRY_INVALID. */
export function readPointer(registry: Registry, name: string): Pointer | null {
  const file = toPointerFile(registry, name);
  if (!existsSync(file)) return null;
  const pointer = parse(readFileSync(file, 'utf8'));
  if (pointer !== null) return pointer;
  const problem = `it does not say a version; say it anew by "midflight plugin use ${name}@<version>"`;
  throw new MidflightError('ERR_MIDFLIGHT_PLUGIN_REGISTRY_INVALID', [file, problem]);
}

function parse(text: string): Pointer | null {
  try {
    const { version, before } = JSON.parse(text) as Partial<Record<keyof Pointer, unknown>>;
    const isPointer = typeof version === 'string' && Array.isArray(before);
    return isPointer && before.every((each) => typeof each === 'string') ? { version, before } : null;
  } catch {
    // Who reads it says what to do.
    return null;
  }
}

/** The same with another version in use. */
export function pointTo(pointer: Pointer | null, version: string): Pointer {
  if (pointer === null) return { version, before: [] };
  if (pointer.version === version) return pointer;
  return { version, before: [pointer.version, ...pointer.before].slice(0, BEFORE_COUNT_MAX) };
}

/** Null: none is in use any more. */
export function writePointer(registry: Registry, name: string, pointer: Pointer | null): void {
  const file = toPointerFile(registry, name);
  if (pointer === null) {
    rmSync(file, { force: true });
    return;
  }
  mkdirSync(path.dirname(file), { recursive: true });
  const staging = `${file}.${process.pid}.tmp`;
  writeFileSync(staging, `${JSON.stringify(pointer)}\n`, { flush: true });
  renameSync(staging, file);
}
