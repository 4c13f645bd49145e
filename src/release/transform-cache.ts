/** Transformed files on disk, by source and settings: what was transformed once is not transformed again. */

import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { mkdir, rename, writeFile } from 'node:fs/promises';
import path from 'node:path';
import {
  transformModule,
  TRANSFORM_VERSION,
  type TransformedModule,
  type TransformOptions,
} from './transform/transform.ts';

/** Transforms a file, or finds it transformed in `directory`.
 *  Errors: ERR_MIDFLIGHT_SYNTAX. */
export async function transformCached(
  directory: string,
  options: TransformOptions,
): Promise<TransformedModule> {
  const key = createHash('sha256')
    .update(JSON.stringify([TRANSFORM_VERSION, options]))
    .digest('hex');
  const file = path.join(directory, `${key}.json`);
  const cached = readCached(file);
  if (cached !== null) return cached;
  const transformed = transformModule(options);
  await writeCached(directory, file, transformed);
  return transformed;
}

/** At once: of a thousand small files that is several times as quick, and the caller pauses between them. */
function readCached(file: string): TransformedModule | null {
  try {
    return JSON.parse(readFileSync(file, 'utf8')) as TransformedModule;
  } catch {
    // Not there, or not whole: it is made again.
    return null;
  }
}

async function writeCached(directory: string, file: string, transformed: TransformedModule): Promise<void> {
  await mkdir(directory, { recursive: true });
  const staging = `${file}.${process.pid}.tmp`;
  await writeFile(staging, JSON.stringify(transformed));
  await rename(staging, file);
}
