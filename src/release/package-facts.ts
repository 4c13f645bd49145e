/** What package.json and the installed packages say that a plan is to know. */

import { readFile } from 'node:fs/promises';
import path from 'node:path';

export interface PackageFacts {
  /** `engines.node`; null without it. */
  readonly nodeRange: string | null;
  /** The installed versions of the packages that package.json names, but for those of development. */
  readonly packages: Readonly<Record<string, string>>;
}

/** Reads them of the tree in `root`. */
export async function readPackageFacts(root: string): Promise<PackageFacts> {
  const description = await readJson(path.join(root, 'package.json'));
  const nodeRange = fieldsOf(description['engines'])['node'];
  const names = Object.keys({
    ...fieldsOf(description['dependencies']),
    ...fieldsOf(description['optionalDependencies']),
  });
  const versions = await Promise.all(
    names.map(async (name) => {
      const { version } = await readJson(path.join(root, 'node_modules', name, 'package.json'));
      return typeof version === 'string' ? [[name, version] as const] : [];
    }),
  );
  return {
    nodeRange: typeof nodeRange === 'string' ? nodeRange : null,
    packages: Object.fromEntries(versions.flat().toSorted(([left], [right]) => (left < right ? -1 : 1))),
  };
}

async function readJson(file: string): Promise<Record<string, unknown>> {
  try {
    return fieldsOf(JSON.parse(await readFile(file, 'utf8')));
  } catch {
    // Not there, or not JSON: who needs it says so.
    return {};
  }
}

function fieldsOf(value: unknown): Record<string, unknown> {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
}
