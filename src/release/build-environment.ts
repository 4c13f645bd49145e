/** What git, package managers and an app's build find in their environment: what they need to work, and none of the service's secrets. */

import path from 'node:path';

/** Taken over as they are. docs/reference/config.md has the list; a test holds the two equal. */
export const passedNames = [
  'PATH',
  'HOME',
  'USER',
  'LOGNAME',
  'SHELL',
  'TMPDIR',
  'TZ',
  'LANG',
  'LANGUAGE',
  'CI',
  'NODE_EXTRA_CA_CERTS',
  'SSL_CERT_FILE',
  'SSL_CERT_DIR',
  'SSH_AUTH_SOCK',
  'SSH_ASKPASS',
  'PNPM_HOME',
  'BUN_INSTALL',
  'NVM_DIR',
  'VOLTA_HOME',
  'GOPATH',
  'GOCACHE',
  'GOMODCACHE',
  'GOPROXY',
  'GOTOOLCHAIN',
  'CARGO_HOME',
  'RUSTUP_HOME',
] as const;
/** Taken over in any case of letters: `http_proxy` is what most programs read. */
export const passedInAnyCase = ['HTTP_PROXY', 'HTTPS_PROXY', 'ALL_PROXY', 'NO_PROXY'] as const;
/** Taken over with whatever follows, in any case of letters. */
export const passedPrefixes = ['LC_', 'XDG_', 'GIT_', 'NPM_CONFIG_', 'YARN_', 'COREPACK_'] as const;

/** Where a hook of git runs, these lead to another repository than the one that is meant. */
const refused = new Set([
  'GIT_DIR',
  'GIT_WORK_TREE',
  'GIT_INDEX_FILE',
  'GIT_PREFIX',
  'GIT_OBJECT_DIRECTORY',
  'GIT_QUARANTINE_PATH',
]);

export interface BuildEnvironmentOptions {
  /** Further variables that are taken over: `buildEnv` of the configuration. */
  readonly names?: readonly string[];
  /** Folders that come first on the path, before that of this Node. */
  readonly binaries?: readonly string[];
}

/** The variables of `environment` that a build gets. The Node that runs this is the first on its path. */
export function toBuildEnvironment(
  environment: NodeJS.ProcessEnv,
  { names = [], binaries = [] }: BuildEnvironmentOptions = {},
): NodeJS.ProcessEnv {
  const wanted = new Set<string>([...passedNames, ...names]);
  const passed = Object.entries(environment).filter(([name]) => wanted.has(name) || isPassed(name));
  const folders = [...binaries, path.dirname(process.execPath), environment['PATH'] ?? ''];
  return { ...Object.fromEntries(passed), PATH: folders.filter(Boolean).join(path.delimiter) };
}

/** What git runs with besides: it asks nobody, and its messages are those that are known here. */
export function toGitEnvironment(environment: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  return {
    ...toBuildEnvironment(environment),
    PATH: environment['PATH'],
    GIT_TERMINAL_PROMPT: '0',
    LC_ALL: 'C',
    LANGUAGE: 'C',
  };
}

function isPassed(name: string): boolean {
  const upper = name.toUpperCase();
  if (refused.has(upper)) return false;
  return (
    (passedInAnyCase as readonly string[]).includes(upper) ||
    passedPrefixes.some((prefix) => upper.startsWith(prefix))
  );
}
