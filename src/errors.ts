/**
 * One error class and the catalog of its codes. A code is never renamed and never reused; messages may change.
 * Every row has a line in docs/reference/errors.md; a test holds the two equal.
 */

const kBrand = Symbol.for('midflight.error');

type Format = (...details: readonly string[]) => string;

interface CatalogRow {
  readonly message: Format;
  /** Exit status of the command line when this error ends it. */
  readonly exitCode: number;
}

const row = (message: Format, exitCode = 1): CatalogRow => ({ message, exitCode });

export const catalog = {
  ERR_MIDFLIGHT_EXPORT_MISSING: row(
    (importer, name, specifier) =>
      `${importer} imports "${name}" from "${specifier}", which does not export it; export it there or change the import`,
    3,
  ),
  ERR_MIDFLIGHT_EXPORT_AMBIGUOUS: row(
    (importer, name, specifier) =>
      `${importer} imports "${name}" from "${specifier}", which gets it from two modules by "export *"; export it by name from one of them`,
    3,
  ),
  ERR_MIDFLIGHT_IMPORT_ATTRIBUTE_INVALID: row(
    (importer, specifier, problem) => `${importer} imports "${specifier}", which ${problem}`,
    3,
  ),
  ERR_MIDFLIGHT_MODULE_UNRESOLVED: row(
    (importer, specifier, reason) =>
      `${importer} imports "${specifier}", which can't be found: ${reason}; check the path, or install the package`,
    3,
  ),
  ERR_MIDFLIGHT_SYNTAX: row((file, line, column, problem) => `${file}:${line}:${column}: ${problem}`, 3),
  ERR_MIDFLIGHT_MODULE_REQUIRES_ASYNC: row(
    (importer, path) =>
      `${importer} requires ${path}, which uses top-level await; load it by import() instead`,
  ),
  ERR_MIDFLIGHT_GENERATION_EXITED: row(
    (exitCode) =>
      `The new code called process.exit(${exitCode}) before it had proved itself; the code before it serves`,
    3,
  ),
  ERR_MIDFLIGHT_CONFIG_INVALID: row((file, problem) => `${file}: ${problem}`, 2),
  ERR_MIDFLIGHT_CONFIG_UNREADABLE: row((file, problem) => `${file} can't be read: ${problem}`, 2),
  ERR_MIDFLIGHT_SOURCE_NO_REPOSITORY: row(
    (directory) =>
      `${directory} is not inside a git repository; run "git init" and commit, or deploy the tree as it stands with --dirty`,
    2,
  ),
  ERR_MIDFLIGHT_SOURCE_REF_UNKNOWN: row(
    (ref, directory, isShallow = '') =>
      isShallow === ''
        ? `"${ref}" names no commit in the repository of ${directory}; see "git log" and "git ls-remote" for what there is`
        : `"${ref}" names no commit in the repository of ${directory}, which has only the last commits; "git fetch --unshallow" there gets the others`,
    2,
  ),
  ERR_MIDFLIGHT_SOURCE_ROOT_MISSING: row(
    (folder, commit) =>
      `There is no folder ${folder} in commit ${commit}; correct "source.root" in the configuration of the app's directory`,
    2,
  ),
  ERR_MIDFLIGHT_SOURCE_UNREACHABLE: row(
    (repository, output) =>
      `${repository} can't be fetched: ${output}\nSee whether "git ls-remote" reaches it for the user that Midflight runs as, then deploy again`,
  ),
  ERR_MIDFLIGHT_SOURCE_AUTHENTICATION: row(
    (repository, output) =>
      `${repository} wants to know who asks: ${output}\nGive the user that Midflight runs as an SSH key, or git a credential helper; nobody is there to type a password`,
  ),
  ERR_MIDFLIGHT_SOURCE_SUBMODULE: row(
    (at, why) =>
      `The submodule ${at} can't be fetched: ${why}\nMake its URL and commit reachable, or leave it out of the commit`,
  ),
  ERR_MIDFLIGHT_SOURCE_LFS: row(
    (files) =>
      `${files} would be in the release as a pointer of git LFS, without its content; install git-lfs for the user that Midflight runs as, or leave such files out by "export-ignore" in .gitattributes`,
    3,
  ),
  ERR_MIDFLIGHT_SOURCE_FETCH_FAILED: row((what, output) => `${what} can't be read by git: ${output}`),
  ERR_MIDFLIGHT_ENTRY_UNKNOWN: row(
    () => 'No entry: set "entry" in midflight.config.json, or "main" or "scripts.start" in package.json',
    2,
  ),
  ERR_MIDFLIGHT_ENTRY_MISSING: row(
    (entry) =>
      `The entry ${entry} is not in the release; commit it, or correct "entry" in midflight.config.json`,
    3,
  ),
  ERR_MIDFLIGHT_ENVIRONMENT_MISSING: row(
    (file) => `envFile ${file} does not exist in the app's directory`,
    2,
  ),
  ERR_MIDFLIGHT_INSTALL_FAILED: row(
    (command, output) => `"${command}" failed; mend the lockfile or package.json:\n${output}`,
    3,
  ),
  ERR_MIDFLIGHT_PACKAGE_MANAGER_MISSING: row(
    (lockFile, command) =>
      `${lockFile || 'package.json'} wants ${command}, which is not on the path; install it ("npm install --global ${command}"${command === 'npm' || command === 'bun' ? '' : ', or "corepack enable"'}), or commit the lockfile of another package manager`,
    3,
  ),
  ERR_MIDFLIGHT_BUILD_FAILED: row((command, output) => `The build "${command}" failed:\n${output}`, 3),
  ERR_MIDFLIGHT_BUILD_ABORTED: row(
    () => 'The build was given up before it had ended; what ran before runs on',
  ),
  ERR_MIDFLIGHT_TYPES_WRONG: row((command, found) => `The type check "${command}" failed:\n${found}`, 3),
  ERR_MIDFLIGHT_PLAN_REJECTED: row((reasons) => `The plan rejects this release:\n${reasons}`, 3),
  ERR_MIDFLIGHT_PLAN_MOVED: row(
    (id, what) =>
      `What is to be done is no longer plan ${id}: ${what}; look at "midflight plan" again, and deploy that`,
    3,
  ),
  ERR_MIDFLIGHT_BUNDLE_UNREADABLE: row(
    (file, problem) =>
      `The bundle ${file} can't be read: ${problem}; copy it again, whole, from where "midflight bundle" wrote it`,
    2,
  ),
  ERR_MIDFLIGHT_BUNDLE_INVALID: row(
    (file, problem) =>
      `The bundle ${file} is not what "midflight bundle" has written: ${problem}; make it again, and see who had it in hands`,
    3,
  ),
  ERR_MIDFLIGHT_BUNDLE_PLATFORM: row(
    (file, wanted, here) =>
      `The bundle ${file} has native addons for ${wanted}, and this is ${here}; bundle it on a machine like this one`,
    3,
  ),
  ERR_MIDFLIGHT_DISK_FULL: row(
    (directory) =>
      `The disk of ${directory} is full; free some space and deploy again, what ran before runs on`,
  ),
  ERR_MIDFLIGHT_DISK_UNWRITABLE: row(
    (directory, problem) =>
      `${directory} can't be written: ${problem}; what ran before runs on, see to the disk and its permissions, then try again`,
  ),
  ERR_MIDFLIGHT_RECORD_NEWER: row(
    (file, version, known) =>
      `${file} was written by a newer Midflight (schema ${version}, this one knows ${known}); use that one, or move the file away and lose the history`,
    4,
  ),
  ERR_MIDFLIGHT_RECORD_CORRUPT: row(
    (file, problem) =>
      `${file} is damaged: ${problem}; "midflight start" moves it aside and makes another, or put a backup in its place`,
  ),
  ERR_MIDFLIGHT_RECORD_UNWRITABLE: row(
    (file, problem) =>
      `${file} can't be written: ${problem}; what ran before runs on, see to the disk and deploy again`,
  ),
  ERR_MIDFLIGHT_STORE_LOCKED: row(
    (directory, waitedMs) =>
      `What ${directory} has is being swept by another process, and that has not ended after ${waitedMs} ms; see what "midflight gc" there waits for, then try again`,
    4,
  ),
  ERR_MIDFLIGHT_NOT_RUNNING: row(
    (directory, orphanPids = '') =>
      orphanPids === ''
        ? `Nothing runs in ${directory}; start it with "midflight start"`
        : `No supervisor runs in ${directory}, whose keeper was killed; what it had started serves on (pid ${orphanPids}) until "midflight start" takes over`,
    4,
  ),
  ERR_MIDFLIGHT_STOPPING: row(
    () => 'What runs here is being stopped; when it has ended, "midflight start" begins anew',
    4,
  ),
  ERR_MIDFLIGHT_ALREADY_RUNNING: row(
    (directory, pid) =>
      `A supervisor (pid ${pid}) runs in ${directory} already; use "midflight deploy", or "midflight stop" first`,
    4,
  ),
  ERR_MIDFLIGHT_SCALE_REFUSED: row(
    () =>
      "A program that is not Node runs as one process, so it can't be scaled; let it start processes of its own, as gunicorn and puma do",
    2,
  ),
  ERR_MIDFLIGHT_PROTOCOL_MISMATCH: row(
    (other, theirs, ours) =>
      `${other} speaks ${theirs}, this Midflight ${ours}: they are of versions too far apart to work together; use the same version on both sides, or "midflight stop" and "midflight start" with the new one`,
    4,
  ),
  ERR_MIDFLIGHT_UPGRADE_FAILED: row(
    (what) => `The new supervisor did not come up, and the one before is back: ${what}`,
    3,
  ),
  ERR_MIDFLIGHT_DEPLOY_LOCKED: row(
    (holder, waited = '') =>
      `Another deploy is under way (${holder})${waited === '' ? '' : `, still after ${waited}`}; try again when it has ended, as "midflight deploy --wait" does`,
    4,
  ),
  ERR_MIDFLIGHT_WORKER_NOT_READY: row(
    (limitMs, what) => `The worker was not ready after ${limitMs} ms: ${what}; or raise readyTimeoutMs`,
    3,
  ),
  ERR_MIDFLIGHT_PROGRAM_NOT_READY: row(
    (limitMs, seen, output) =>
      `The program was not ready after ${limitMs} ms: ${seen}; see "ready" in the reference of the configuration, or raise readyTimeoutMs${output === '' ? '' : `; it printed last:\n${output}`}`,
    3,
  ),
  ERR_MIDFLIGHT_PERL_MISSING: row(
    () =>
      '"ready": "pipe" and "notify" need Perl, which is not on the path; install it, or use another kind of "ready"',
    2,
  ),
  ERR_MIDFLIGHT_WORKER_EXITED: row(
    (how, output) =>
      `The worker ended unasked (${how})${output === '' ? '' : `; it printed last:\n${output}`}`,
    3,
  ),
  ERR_MIDFLIGHT_WORKER_UNREACHABLE: row((request) => `The worker ended before it answered "${request}"`),
  ERR_MIDFLIGHT_WORKER_SILENT: row(
    (pid, request, timeoutMs) =>
      `Worker ${pid} has not answered "${request}" in ${timeoutMs} ms: its code may be in an endless loop; end it with "kill -9 ${pid}", and another takes its place`,
  ),
  ERR_MIDFLIGHT_LISTEN_FAILED: row(
    (address, code) => `${address} can't be bound (${code}); end what uses it, or choose another address`,
  ),
  ERR_MIDFLIGHT_HEALTH_FAILED: row((check, what) => `The health check ${check} failed: ${what}`, 3),
  ERR_MIDFLIGHT_HOOK_FAILED: row(
    (hook, command, how, output) =>
      `The hook ${hook} ("${command}") failed: ${how}${output === '' ? '' : `; it printed last:\n${output}`}`,
    3,
  ),
  ERR_MIDFLIGHT_BISECT_REFUSED: row((why) => `bisect can't try these releases: ${why}`, 2),
  ERR_MIDFLIGHT_PROBATION_FAILED: row((what) => `The new release failed in probation: ${what}`, 3),
  ERR_MIDFLIGHT_DEPLOY_WITHDRAWN: row(
    (release) => `Rolled back by hand while it was in probation; release ${release} is back`,
    3,
  ),
  ERR_MIDFLIGHT_DEPLOY_ABORTED: row(
    () => 'Aborted before it was committed: nothing has changed, and what served before serves on',
    3,
  ),
  ERR_MIDFLIGHT_DEPLOY_IDLE: row(
    () => 'No deploy is under way; "midflight history" has those that have ended',
    4,
  ),
  ERR_MIDFLIGHT_GOING_BACK_FAILED: row(
    (why, problem) =>
      `Going back failed: ${problem}; see "midflight status" for what serves, and "midflight rollback"\n${why}`,
  ),
  ERR_MIDFLIGHT_EVALUATION_FAILED: row((what) => `The new code threw while it loaded: ${what}`, 3),
  ERR_MIDFLIGHT_RELEASE_UNKNOWN: row(
    (release) => `There is no release ${release} to go back to; see "midflight history"`,
    2,
  ),
  ERR_MIDFLIGHT_DEPLOY_UNKNOWN: row(
    (id) => `No deploy has the number ${id}; "midflight history" lists them`,
    2,
  ),
  ERR_MIDFLIGHT_RELEASE_OUTDATED: row(
    (release, commit) =>
      `The release ${release} was built by another version of Midflight, for which its code is not made; deploy ${commit} again`,
    2,
  ),
  ERR_MIDFLIGHT_KEY_EXISTS: row(
    (file) => `${file} is there already, and is not overwritten; choose another name for the new key`,
    2,
  ),
  ERR_MIDFLIGHT_KEY_INVALID: row((file, problem) => `The key ${file} can't be used: ${problem}`, 2),
  ERR_MIDFLIGHT_TRUST_UNSAFE: row(
    (file, problem) =>
      `${file} ${problem}, so that nobody knows whose keys those are; check them, then mend it`,
    2,
  ),
  ERR_MIDFLIGHT_RELEASE_UNSIGNED: row(
    (release, count, threshold) =>
      `${release} is signed by ${count} of the trusted keys and needs ${threshold}; sign it with --sign <key>, or later by "midflight sign ${release} --sign <key>"`,
    3,
  ),
  ERR_MIDFLIGHT_RELEASE_ALTERED: row(
    (release, problem) =>
      `${release} is not what was built: ${problem}; nothing of it is loaded; deploy its commit again, or publish it again if it is a plugin`,
    3,
  ),
  ERR_MIDFLIGHT_STATEMENT_INVALID: row(
    (problem) => `The statement of the release can't be accepted: ${problem}`,
    3,
  ),
  ERR_MIDFLIGHT_STATEMENT_REPLAYED: row(
    (release, at, highestAt) =>
      `The statement of ${release} is of ${at}, and one of ${highestAt} was accepted since; to go back to it, sign it again: "midflight rollback ${release} --sign <key>"`,
    3,
  ),
  ERR_MIDFLIGHT_AUDIT_BROKEN: row(
    (file, line, problem) =>
      `${file} was altered: ${problem} at line ${line}; compare it with a copy from elsewhere, and take what follows that line for untrue`,
    3,
  ),
  ERR_MIDFLIGHT_AUDIT_UNWRITABLE: row(
    (file, problem) =>
      `Nothing is changed, since ${file} can't be written: ${problem}; free the disk or mend the permissions`,
  ),
  ERR_MIDFLIGHT_CONTROL_SOCKET_UNSAFE: row(
    (socket, problem) => `${socket} ${problem}, so nothing is said to it; find out who put it there`,
    4,
  ),
  ERR_MIDFLIGHT_ADDRESS_INVALID: row(
    (address) => `"${address}" is not an address; write "127.0.0.1:8080" or "unix:/path"`,
    2,
  ),
  ERR_MIDFLIGHT_INVALID_STATE: row((what) => what),
  ERR_MIDFLIGHT_INTERNAL: row((what) => `Midflight itself failed: ${what}`),
  ERR_MIDFLIGHT_NODE_TOO_OLD: row((version) => `Midflight needs Node.js 24 or later; this is ${version}`),
  ERR_MIDFLIGHT_USAGE: row((what) => what, 2),
  ERR_MIDFLIGHT_STATE_UNMIGRATED: row(
    (name, from, to, step) =>
      Number(from) < Number(to)
        ? `The state "${name}" has version ${from} and the new code wants ${to}, with no way up to ${step}; give state() a migrate that has it, or keep the version`
        : `The state "${name}" has version ${from} and the code to go to knows ${to}, but the code that runs says no way down from ${step}; deploy that once more with a "down" in its step ${step}, or go with "deploy --path restart", which begins with fresh state`,
    3,
  ),
  ERR_MIDFLIGHT_STATE_MIGRATION_FAILED: row(
    (name, from, to, problem) =>
      `The state "${name}" can't be migrated from version ${from} to ${to}: ${problem}; it is as it was, and the old code serves on`,
    3,
  ),
  ERR_MIDFLIGHT_STATE_UNENCODABLE: row(
    (name, problem) =>
      `The state "${name}" can't be copied: ${problem}; give state() encode and decode, and deploy that at the same version first; for a handoff alone, local: true says that each process makes its own`,
    3,
  ),
  ERR_MIDFLIGHT_STATE_TRANSFER_FAILED: row(
    (problem) =>
      `The states could not be passed to the new process: ${problem}; they are as they were, and the old process serves on`,
    3,
  ),
  ERR_MIDFLIGHT_STATE_CONFLICT: row(
    (name, version, by, otherVersion, otherBy) =>
      `The state "${name}" is asked for with version ${version} by ${by}, and with ${otherVersion} by ${otherBy}; let one module declare it, and the others import it from there`,
    3,
  ),
  ERR_MIDFLIGHT_STATE_INVALID: row(
    (name, problem) => `The options of the state "${name}" can't be: ${problem}; correct the call of state()`,
    3,
  ),
  ERR_MIDFLIGHT_WEB_SOCKETS_INVALID: row(
    (problem) =>
      `carryWebSockets() takes a WebSocketServer of the package ws, version 8, and { save, restore }: ${problem}`,
  ),
  ERR_MIDFLIGHT_WEB_SOCKETS_CONFLICT: row(
    (name) =>
      `Two WebSocketServers carry their WebSockets as "${name}", so that nobody knows where one belongs; give each a "name" in carryWebSockets(server, { name, … })`,
  ),
  ERR_MIDFLIGHT_WEB_SOCKET_UNEXPECTED: row(
    (name) =>
      `No WebSocketServer here carries WebSockets as "${name}"; call carryWebSockets() for it before the app listens`,
  ),
  ERR_MIDFLIGHT_WEB_SOCKET_UNRESTORED: row(
    (name, problem) =>
      `"restore" of the WebSockets of "${name}" failed: ${problem}; the connection stays in the process before`,
  ),
  ERR_MIDFLIGHT_PLUGIN_UNKNOWN: row(
    (name, where, there) => `There is no plugin "${name}" in ${where}; there ${there}`,
    2,
  ),
  ERR_MIDFLIGHT_PLUGIN_INVALID: row((plugin, problem) => `Plugin ${plugin}: ${problem}`, 3),
  ERR_MIDFLIGHT_PLUGIN_MISMATCH: row(
    (plugin, name, problem) => `Plugin ${plugin} is asked for "${name}", ${problem}`,
    3,
  ),
  ERR_MIDFLIGHT_PLUGIN_ARGUMENTS_INVALID: row((which, problem) => `${which}: ${problem}`),
  ERR_MIDFLIGHT_PLUGIN_RESULT_INVALID: row(
    (which, problem) => `${which} has returned what it should not: ${problem}`,
  ),
  ERR_MIDFLIGHT_PLUGIN_VERSION_UNSATISFIED: row(
    (name, version, range, by) => `Plugin ${name} is ${version}, and ${by} needs ${range}`,
    3,
  ),
  ERR_MIDFLIGHT_PLUGIN_VERSION_UNKNOWN: row(
    (name, version, there) => `Plugin ${name} has no version ${version}; there ${there}`,
    2,
  ),
  ERR_MIDFLIGHT_PLUGIN_SETUP_FAILED: row(
    (plugin, problem) => `setup() of plugin ${plugin} failed: ${problem}`,
    3,
  ),
  ERR_MIDFLIGHT_PLUGIN_UNHEALTHY: row((plugin, problem) => `Plugin ${plugin} is ill: ${problem}`, 3),
  ERR_MIDFLIGHT_PLUGIN_UNREADY: row(
    (name) => `Plugin ${name} is called before its first version is set up; call it later than in setup()`,
  ),
  ERR_MIDFLIGHT_PLUGIN_CLOSED: row((name) => `Plugin ${name} is closed; open it again to call it`),
  ERR_MIDFLIGHT_PLUGIN_TIMED_OUT: row(
    (which, timeoutMs) =>
      `${which} has not answered after ${timeoutMs} ms; raise "timeoutMs" of openPlugin() or see what it waits for`,
  ),
  ERR_MIDFLIGHT_PLUGIN_STOPPED: row(
    (plugin, why) =>
      `The thread of plugin ${plugin} has ended: ${why}; if it was in use, it is started again, or the version before comes back`,
  ),
  ERR_MIDFLIGHT_PLUGIN_OPTION_INVALID: row(
    (option, value, problem) => `"${option}" of openPlugin() is ${value}, and ${problem}`,
    2,
  ),
  ERR_MIDFLIGHT_PLUGIN_SUSPENDED: row(
    (plugin, count, restMs, problem) =>
      `Plugin ${plugin} has failed ${count} times in a row and is not called for ${restMs} ms; the last time: ${problem}`,
  ),
  ERR_MIDFLIGHT_PLUGIN_NAME_INVALID: row(
    (kind, given, rule) => `${JSON.stringify(given)} is no ${kind} of a plugin in a registry; write ${rule}`,
    2,
  ),
  ERR_MIDFLIGHT_PLUGIN_PUBLISHED: row(
    (label) =>
      `${label} is published with another content, and what is published does not change; publish this as a new version`,
    3,
  ),
  ERR_MIDFLIGHT_PLUGIN_BREAKING: row(
    (label, before, problems, wanted) =>
      `${label} breaks who uses ${before}: ${problems}; keep to it, or publish this as ${wanted}`,
    3,
  ),
  ERR_MIDFLIGHT_PLUGIN_UNSIGNED: row(
    (label, count, threshold) =>
      `Plugin ${label} is signed by ${count} of the trusted keys and needs ${threshold}; publish the same again with --sign <key>`,
    3,
  ),
  ERR_MIDFLIGHT_PLUGIN_ALTERED: row(
    (label, problem) =>
      `Plugin ${label} is not what was published: ${problem}; nothing of it is loaded. Unpublish it, and publish it again`,
    3,
  ),
  ERR_MIDFLIGHT_PLUGIN_NEEDED: row(
    (label, why) => `${label} stays: ${why}; use another version first, or take it away with --force`,
    3,
  ),
  ERR_MIDFLIGHT_PLUGIN_REGISTRY_INVALID: row((file, problem) => `${file} can't be used: ${problem}`),
  ERR_MIDFLIGHT_PLUGIN_REGISTRY_LOCKED: row(
    (directory, waitedMs) =>
      `Another process changes ${directory}, and has not ended after ${waitedMs} ms; see what it waits for, then try again`,
    4,
  ),
  ERR_MIDFLIGHT_PLUGIN_FETCH_FAILED: row(
    (spec, output) => `"npm pack ${spec}" failed: ${output}\nSee whether npm itself gets it, then try again`,
  ),
} satisfies Record<string, CatalogRow>;

/** Every code that Midflight can give. */
export type ErrorCode = keyof typeof catalog;

/** The one error class. Match `code`, never the message. `instanceof` holds between copies of this module. */
export class MidflightError extends Error {
  readonly code: ErrorCode;
  readonly details: readonly string[];
  readonly [kBrand] = true;

  constructor(code: ErrorCode, details: readonly (string | number)[] = [], options?: ErrorOptions) {
    const texts = details.map(String);
    super(catalog[code].message(...texts), options);
    this.name = 'MidflightError';
    this.code = code;
    this.details = texts;
  }

  get exitCode(): number {
    return catalog[this.code].exitCode;
  }

  static override [Symbol.hasInstance](value: unknown): boolean {
    return typeof value === 'object' && value !== null && kBrand in value;
  }
}

/** What was thrown, as an error: anything can be. */
export function toError(thrown: unknown): Error {
  return thrown instanceof Error ? thrown : new Error(String(thrown), { cause: thrown });
}

/** What ends a command or a deploy, as the user is told. */
export interface Failure {
  readonly code: ErrorCode;
  readonly message: string;
  readonly exitCode: number;
}

/** Names any error; one that is not of the catalog is a mistake of Midflight itself, and comes with its stack. */
export function toFailure(error: unknown): Failure {
  if (error instanceof MidflightError)
    return { code: error.code, message: error.message, exitCode: error.exitCode };
  const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
  return toFailure(new MidflightError('ERR_MIDFLIGHT_INTERNAL', [text]));
}
