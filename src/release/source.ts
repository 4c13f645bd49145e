/** Brings the source of a release into a folder: a commit of this repository or of a remote one, or the working tree as it stands. */

import { existsSync } from 'node:fs';
import { cp, mkdir, readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { MidflightError } from '../errors.ts';
import type { SourceSettings } from './config.ts';
import { extractCommit } from './extract-commit.ts';
import { askGit, git } from './git.ts';
import { fetchMirror } from './mirror.ts';
import { findWorkspaceRoot, leaveOutOtherPackages } from './workspace.ts';

/** Never part of a release's source. */
const EXCLUDED = new Set(['.git', '.midflight', 'node_modules']);

export interface SourceRequest {
  readonly appDirectory: string;
  /** Where copies of remote repositories are kept. */
  readonly mirrors: string;
  /** Anything `git rev-parse` takes; `HEAD` is `ref` of the settings where that is there. */
  readonly ref: string;
  readonly isDirty: boolean;
  readonly settings: SourceSettings;
  readonly signal?: AbortSignal | undefined;
  onProgress?(message: string): void;
}

export interface FetchedSource {
  /** Full commit hash; null outside git. */
  readonly commit: string | null;
  readonly isDirty: boolean;
  /** The app's folder in the tree, a POSIX path: `''`, or its place in the workspace that the tree is. */
  readonly appFolder: string;
}

/** Errors: ERR_MIDFLIGHT_SOURCE_*. */
export async function fetchSource(request: SourceRequest, target: string): Promise<FetchedSource> {
  await mkdir(target, { recursive: true });
  const source = request.isDirty
    ? await fetchWorkingTree(request, target)
    : await fetchCommit(request, target);
  if (source.appFolder !== '') await leaveOutOtherPackages(target, source.appFolder);
  return source;
}

/** A commit, and where it is to be found. */
interface Found {
  /** Where git is asked: the repository's root, or its mirror. */
  readonly repository: string;
  readonly commit: string;
  /** The app's folder in the repository. */
  readonly appFolder: string;
  /** What relative URLs of submodules are relative to; asked for where there are some. */
  readonly toOrigin: () => Promise<string>;
}

async function fetchCommit(request: SourceRequest, target: string): Promise<FetchedSource> {
  const { signal, mirrors, onProgress } = request;
  const remote = request.settings.repository;
  const { repository, commit, appFolder, toOrigin } = await (remote === undefined
    ? findLocal(request)
    : findRemote(request, remote));
  const read = async (file: string): Promise<string | null> =>
    askGit(['cat-file', 'blob', `${commit}:${file}`], { cwd: repository, signal });
  const root = await findWorkspaceRoot(appFolder, read);
  await extractCommit({ repository, commit, folder: root, toOrigin, mirrors, signal, onProgress }, target);
  return { commit, isDirty: false, appFolder: path.posix.relative(root, appFolder) };
}

async function findLocal(request: SourceRequest): Promise<Found> {
  const { appDirectory, signal, settings } = request;
  const ref = toRef(request);
  const cwd = appDirectory;
  const asked = ['rev-parse', '--verify', '--quiet', '--end-of-options', `${ref}^{commit}`];
  const [place, commit] = await Promise.all([findPlace(appDirectory), askGit(asked, { cwd, signal })]);
  if (place === null) throw new MidflightError('ERR_MIDFLIGHT_SOURCE_NO_REPOSITORY', [appDirectory]);
  if (commit === null)
    throw new MidflightError('ERR_MIDFLIGHT_SOURCE_REF_UNKNOWN', [
      ref,
      appDirectory,
      ...(place.isShallow ? ['shallow'] : []),
    ]);
  const appFolder = toFolder(path.posix.join(place.prefix, settings.root));
  await requireFolder({ repository: place.topLevel, commit, appFolder });
  const toOrigin = async (): Promise<string> =>
    (await askGit(['config', '--get', 'remote.origin.url'], { cwd, signal })) ?? place.topLevel;
  return { repository: place.topLevel, commit, appFolder, toOrigin };
}

async function findRemote(request: SourceRequest, repository: string): Promise<Found> {
  const { mirrors, appDirectory, signal, onProgress, settings } = request;
  const { gitDirectory, commit } = await fetchMirror({
    mirrors,
    repository,
    ref: toRef(request),
    cwd: appDirectory,
    signal,
    ...(onProgress === undefined ? {} : { onProgress }),
  });
  const appFolder = toFolder(settings.root);
  await requireFolder({ repository: gitDirectory, commit, appFolder });
  return { repository: gitDirectory, commit, appFolder, toOrigin: async () => repository };
}

function toRef({ ref, settings }: SourceRequest): string {
  return ref === 'HEAD' ? (settings.ref ?? ref) : ref;
}

function toFolder(folder: string): string {
  return path.posix
    .normalize(folder)
    .replace(/^\.$|\/+$/g, '')
    .replace(/^\.\//, '');
}

async function requireFolder({ repository, commit, appFolder }: Omit<Found, 'toOrigin'>): Promise<void> {
  if (appFolder === '') return;
  const kind = await askGit(['cat-file', '-t', `${commit}:${appFolder}`], { cwd: repository });
  if (kind !== 'tree') throw new MidflightError('ERR_MIDFLIGHT_SOURCE_ROOT_MISSING', [appFolder, commit]);
}

interface Place {
  readonly topLevel: string;
  /** The directory's own path in the repository. */
  readonly prefix: string;
  readonly isShallow: boolean;
}

/** Null outside of git, which is not where git fails: a repository of another user, say. */
async function findPlace(directory: string): Promise<Place | null> {
  const asked = ['rev-parse', '--show-toplevel', '--show-prefix', '--is-shallow-repository'];
  const { exitCode, stdout, output } = await git(asked, { cwd: directory });
  if (/not a git repository/.test(output)) return null;
  if (exitCode !== 0) throw new MidflightError('ERR_MIDFLIGHT_SOURCE_FETCH_FAILED', [directory, output]);
  const [topLevel = '', prefix = '', isShallow] = stdout.split('\n');
  return { topLevel, prefix: prefix.replace(/\/$/, ''), isShallow: isShallow === 'true' };
}

async function fetchWorkingTree(request: SourceRequest, target: string): Promise<FetchedSource> {
  const { appDirectory, signal, settings } = request;
  const place = await findPlace(appDirectory);
  const own = toFolder(settings.repository === undefined ? settings.root : '');
  const appFolder = toFolder(path.posix.join(place?.prefix ?? '', own));
  const topLevel = place?.topLevel ?? appDirectory;
  const root = await findWorkspaceRoot(appFolder, async (file) => readPresent(path.join(topLevel, file)));
  const from = path.join(topLevel, root);
  const head = await askGit(['rev-parse', '--verify', '--quiet', 'HEAD'], { cwd: appDirectory, signal });
  const listed = await git(['ls-files', '-z', '--cached', '--others', '--exclude-standard'], {
    cwd: from,
    signal,
  });
  // Without its list, what is ignored would be in the release: secrets, first of all.
  if (place !== null && listed.exitCode !== 0)
    throw new MidflightError('ERR_MIDFLIGHT_SOURCE_FETCH_FAILED', [from, listed.output]);
  const names = place === null ? await readdir(from) : listed.stdout.split('\0');
  for (const name of names) {
    if (name === '' || name.split('/').some((part) => EXCLUDED.has(part))) continue;
    await copyPresent(path.join(from, name), path.join(target, name));
  }
  return { commit: head, isDirty: true, appFolder: path.posix.relative(root, appFolder) };
}

async function readPresent(file: string): Promise<string | null> {
  return existsSync(file) ? readFile(file, 'utf8') : null;
}

async function copyPresent(from: string, to: string): Promise<void> {
  try {
    await cp(from, to, {
      recursive: true,
      verbatimSymlinks: true,
      filter: (file) => !EXCLUDED.has(path.basename(file)),
    });
  } catch (error) {
    // A file that git knows and somebody has just deleted is not in the tree as it stands.
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  }
}
