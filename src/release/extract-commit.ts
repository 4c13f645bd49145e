/**
 * The files of one commit, by `git archive`, with what that leaves out: submodules, each from a repository of its own.
 * Files of git LFS that are only named and not there make a release that can't work, so they are an error.
 */

import { spawn } from 'node:child_process';
import { mkdir, open, readdir, stat } from 'node:fs/promises';
import path from 'node:path';
import { MidflightError } from '../errors.ts';
import { askGit, git, GIT_TIMEOUT_MS, redactCredentials } from './git.ts';
import { fetchMirror } from './mirror.ts';

/** Submodules in submodules, which may not go on without end. */
const DEPTH_MAX = 8;
const LFS_HEADING = 'version https://git-lfs.github.com/spec/v1';
/** The specification has no larger pointers. */
const LFS_POINTER_BYTES_MAX = 1_024;

export interface CommitToExtract {
  /** The root of a repository, or its git folder. */
  readonly repository: string;
  readonly commit: string;
  /** What of it is taken; `''` for all. */
  readonly folder: string;
  /** Its URL or path, which URLs of submodules may be relative to. */
  readonly toOrigin: () => Promise<string>;
  readonly mirrors: string;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((message: string) => void) | undefined;
  readonly depth?: number;
}

/** Errors: ERR_MIDFLIGHT_SOURCE_FETCH_FAILED, ERR_MIDFLIGHT_SOURCE_SUBMODULE, ERR_MIDFLIGHT_SOURCE_LFS. */
export async function extractCommit(wanted: CommitToExtract, target: string): Promise<void> {
  const { repository: cwd, commit, signal } = wanted;
  const extracted = extract(wanted, target);
  // Names what may have left something out, wherever it is. Starting a process keeps this one for milliseconds, and nobody waits for this.
  const asked = askGit(
    [
      'grep',
      '-l',
      '-e',
      'filter=lfs',
      '-e',
      'submodule',
      commit,
      '--',
      ':(top,glob)**/.gitattributes',
      ':(top).gitmodules',
    ],
    { cwd, signal },
  );
  const [found] = await Promise.all([asked, extracted]);
  if (found === null) return;
  if (found.includes('.gitmodules')) await extractSubmodules(wanted, target);
  if (found.includes('.gitattributes')) await refusePointers(target);
}

async function extract(
  { repository, commit, folder, signal }: CommitToExtract,
  target: string,
): Promise<void> {
  const tar = spawn('tar', ['-x', '-C', target], { stdio: ['pipe', 'ignore', 'pipe'] });
  let problem = '';
  tar.stderr.on('data', (chunk: Buffer) => (problem += chunk.toString()));
  // A full disk ends tar early; what git still writes then is of no use.
  tar.stdin.on('error', (error) => (problem ||= error.message));
  // Also where there is no tar.
  tar.once('error', (error) => (problem = error.message));
  const ended = new Promise<number | null>((resolve) => tar.once('close', resolve));
  const tree = `${commit}:${folder}`;
  const archive = await git(['archive', '--format=tar', tree], {
    cwd: repository,
    signal,
    stdout: tar.stdin,
  });
  const exitCode = await ended;
  if (archive.exitCode === 0 && exitCode === 0) return;
  const late = archive.timedOut ? `no end after ${GIT_TIMEOUT_MS} ms\n` : '';
  const said = `${late}${archive.output}${problem}`.trim();
  throw new MidflightError('ERR_MIDFLIGHT_SOURCE_FETCH_FAILED', [tree, said]);
}

async function extractSubmodules(wanted: CommitToExtract, target: string): Promise<void> {
  const { repository: cwd, commit, folder, signal, depth = 0 } = wanted;
  const listed = await askGit(
    ['ls-tree', '-r', '-z', '--full-tree', commit, ...(folder === '' ? [] : ['--', `${folder}/`])],
    { cwd, signal },
  );
  const links = [...(listed ?? '').matchAll(/160000 commit ([\da-f]+)\t([^\0]+)/g)];
  if (links.length === 0) return;
  const urls = await readUrls(wanted);
  for (const [, linked = '', at = ''] of links) {
    const url = urls.get(at);
    if (url === undefined || depth >= DEPTH_MAX) {
      const why = url === undefined ? '.gitmodules has no URL for it' : `it is ${DEPTH_MAX} submodules deep`;
      throw new MidflightError('ERR_MIDFLIGHT_SOURCE_SUBMODULE', [at, why]);
    }
    const inTree = path.join(target, path.posix.relative(folder, at));
    await mkdir(inTree, { recursive: true });
    await extractSubmodule({ ...wanted, commit: linked, depth: depth + 1 }, { at, url }, inTree);
  }
}

interface Submodule {
  readonly at: string;
  readonly url: string;
}

async function extractSubmodule(
  wanted: CommitToExtract,
  { at, url }: Submodule,
  target: string,
): Promise<void> {
  const { mirrors, repository: cwd, commit, toOrigin, signal, onProgress } = wanted;
  const repository = toSubmoduleUrl(await toOrigin(), url);
  onProgress?.(`submodule ${at} from ${redactCredentials(repository)}`);
  try {
    const { gitDirectory } = await fetchMirror({
      mirrors,
      repository,
      ref: commit,
      cwd,
      signal,
      ...(onProgress === undefined ? {} : { onProgress }),
    });
    await extractCommit(
      { ...wanted, repository: gitDirectory, folder: '', toOrigin: async () => repository },
      target,
    );
  } catch (error) {
    if (!(error instanceof MidflightError) || error.code === 'ERR_MIDFLIGHT_BUILD_ABORTED') throw error;
    throw new MidflightError('ERR_MIDFLIGHT_SOURCE_SUBMODULE', [at, error.message], { cause: error });
  }
}

/** URLs by path. */
async function readUrls({
  repository,
  commit,
  signal,
}: CommitToExtract): Promise<ReadonlyMap<string, string>> {
  const text = await askGit(
    ['config', '--blob', `${commit}:.gitmodules`, '--get-regexp', String.raw`^submodule\..*\.(path|url)$`],
    { cwd: repository, signal },
  );
  const values = [...(text ?? '').matchAll(/^(submodule\..*)\.(path|url) (.*)$/gm)];
  const named = (kind: string): Map<string, string> =>
    new Map(values.filter(([, , of]) => of === kind).map(([, name = '', , value = '']) => [name, value]));
  const urls = named('url');
  return new Map(
    [...named('path')].map(([name, at]) => [at, urls.get(name) ?? '']).filter(([, url]) => url !== '') as [
      string,
      string,
    ][],
  );
}

/** `../lib.git` is beside the repository itself, as for `git submodule`. */
function toSubmoduleUrl(origin: string, url: string): string {
  if (!/^\.{1,2}\//.test(url)) return url;
  const [, start = '', at = ''] = /^([a-z][a-z\d+.-]*:\/\/[^/]*|[^/]*:(?!\/\/))?(.*)$/i.exec(origin) ?? [];
  return start + path.posix.join(at, url);
}

async function refusePointers(root: string): Promise<void> {
  const entries = await readdir(root, { recursive: true, withFileTypes: true });
  const pointers: string[] = [];
  for (const entry of entries) {
    const file = path.join(entry.parentPath, entry.name);
    if (entry.isFile() && (await isPointer(file))) pointers.push(path.relative(root, file));
  }
  const [first, ...others] = pointers.toSorted();
  if (first === undefined) return;
  const more = others.length === 0 ? '' : ` and ${others.length} more`;
  throw new MidflightError('ERR_MIDFLIGHT_SOURCE_LFS', [`${first}${more}`]);
}

async function isPointer(file: string): Promise<boolean> {
  const { size } = await stat(file);
  if (size < LFS_HEADING.length || size > LFS_POINTER_BYTES_MAX) return false;
  const handle = await open(file);
  try {
    const { buffer, bytesRead } = await handle.read(
      Buffer.alloc(LFS_HEADING.length),
      0,
      LFS_HEADING.length,
      0,
    );
    return buffer.toString('utf8', 0, bytesRead) === LFS_HEADING;
  } finally {
    await handle.close();
  }
}
