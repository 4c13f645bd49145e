/** Looks at each entry of a bundle before it is written. */

import path from 'node:path';
import { MidflightError } from '../errors.ts';
import { BUNDLE_FILE } from './bundle.ts';
import { ENVELOPE_BYTES_MAX } from './dsse.ts';
import { isLoadable } from './release-contents.ts';

/** Unpacked. More than any app has, and less than fills a disk unseen. */
export const BUNDLE_BYTES_MAX = 8 * 1024 ** 3;
const ENTRIES_MAX = 1_000_000;
/** What an entry has besides its content: two headers, the rest of a block, a long name. */
const ENTRY_OVERHEAD_BYTES_MAX = 2_048;
/** These are read as a whole, the first before anybody knows who has made it. */
const wholeBytesMax = new Map([
  [BUNDLE_FILE, 64 * 1024],
  ['manifest.json', 256 * 1024 ** 2],
  ['statement.json', ENVELOPE_BYTES_MAX],
]);

interface EntryHeader {
  readonly name: string;
  readonly size: number;
  readonly type?: string;
  readonly linkname?: string;
  readonly mode?: number;
}

export interface BundleGuard {
  /** True for each entry that may be written, false for what no manifest answers for; throws for any other. */
  isWanted(this: void, header: EntryHeader): boolean;
  /** Passes on what was unpacked; throws where that does not end. */
  limit(this: void, unpacked: AsyncIterable<Buffer>): AsyncGenerator<Buffer>;
  /** The permissions of the files so far. */
  readonly modes: ReadonlyMap<string, number>;
}

export interface TarRules {
  /** Whether an entry may have that name. */
  isPlace(this: void, name: string): boolean;
  /** What the archive has in it. */
  readonly what: 'release' | 'package';
  readonly code: 'ERR_MIDFLIGHT_BUNDLE_INVALID' | 'ERR_MIDFLIGHT_PLUGIN_INVALID';
}

const ofBundles: TarRules = {
  isPlace: (name) => name === BUNDLE_FILE || /^(?:releases\/[\w-]+|store|deps\/[\da-f]+)\/./.test(name),
  what: 'release',
  code: 'ERR_MIDFLIGHT_BUNDLE_INVALID',
};

/** Makes the guard of one bundle, or of another archive by rules of its own. Errors: that of the rules. */
export function createBundleGuard(
  file: string,
  bytesMax = BUNDLE_BYTES_MAX,
  { isPlace, what, code }: TarRules = ofBundles,
): BundleGuard {
  const seen = new Set<string>();
  const links = new Set<string>();
  const modes = new Map<string, number>();
  let sizeBytes = 0;
  const refuse = (problem: string): never => {
    throw new MidflightError(code, [file, problem]);
  };
  const requireInside = (name: string): void => {
    const parts = name.split('/');
    if (!isPlace(name) || !isPlain(name)) refuse(`${name} would be outside of the ${what}`);
    for (let count = 1; count < parts.length; count++) {
      if (links.has(parts.slice(0, count).join('/'))) refuse(`${name} leads through a link`);
    }
  };
  const isWanted = ({ name, size, type = 'file', linkname = '', mode = 0o644 }: EntryHeader): boolean => {
    sizeBytes += size;
    if (sizeBytes > bytesMax) refuse(`it has more than ${bytesMax} bytes`);
    if (size > (wholeBytesMax.get(toRootName(name)) ?? Infinity)) refuse(`its ${name} has ${size} bytes`);
    if (seen.size >= ENTRIES_MAX) refuse(`it has more than ${ENTRIES_MAX} files`);
    requireInside(name);
    if (seen.has(name)) refuse(`${name} is in it twice`);
    seen.add(name);
    if (!isLoadable(name)) return false;
    if (type === 'link') requireInside(linkname);
    else if (type === 'symlink') {
      const target = path.posix.join(path.posix.dirname(name), linkname);
      if (linkname.startsWith('/') || !isPlace(target) || !isPlain(target))
        refuse(`the link ${name} leads outside of the ${what}`);
      links.add(name);
    } else if (type !== 'file') refuse(`${name} is no file`);
    else modes.set(name, mode & 0o777);
    return true;
  };
  async function* limit(unpacked: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
    let countBytes = 0;
    for await (const chunk of unpacked) {
      countBytes += chunk.length;
      if (countBytes > bytesMax + ENTRIES_MAX * ENTRY_OVERHEAD_BYTES_MAX)
        refuse(`it has more than ${bytesMax} bytes, most of them in no file`);
      yield chunk;
    }
  }
  return { isWanted, limit, modes };
}

/** `manifest.json` for that of a release, not for what an app calls so. */
function toRootName(name: string): string {
  return name.replace(/^releases\/[^/]+\/(?=[^/]+$)/, '');
}

/** Written without detours, and leading nowhere else. */
function isPlain(name: string): boolean {
  if (name.startsWith('/') || name === '..' || name.startsWith('../')) return false;
  return !name.includes('\\') && !name.includes('\0') && path.posix.normalize(name) === name;
}
