/** The control socket: HTTP and JSON on a Unix socket that only the owner can open. Progress comes as server-sent events. */

import { rmSync } from 'node:fs';
import { chmod } from 'node:fs/promises';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { createAdaptorServer } from '@hono/node-server';
import { Hono, type Context } from 'hono';
import { streamSSE } from 'hono/streaming';
import { z } from 'zod';
import { MidflightError, toFailure } from '../errors.ts';
import type { Deployer } from '../deploy/deploy.ts';
import { CLIENT_HEADER, parseClient } from '../deploy/actor.ts';
import type { Signer } from '../deploy/admission.ts';
import type { Audit } from '../deploy/audit.ts';
import type { Actor } from '../deploy/audit-chain.ts';
import { toCollectEntry } from '../deploy/collect-garbage.ts';
import type { DeployCaller, DeployReport, Following, Progress } from '../deploy/deploy-request.ts';
import { TIMEOUT_MS_MAX } from '../release/config.ts';
import { toSummarized } from '../deploy/evidence.ts';
import type { History } from '../deploy/history.ts';
import { envelopeSchema } from '../release/dsse.ts';
import { WORKERS_MAX } from '../protocol/manifest.ts';
import type { Inventory } from '../protocol/keeper-messages.ts';
import {
  CONTROL_PROTOCOL_HEADER,
  negotiate,
  parseRange,
  protocols,
  toRangeText,
} from '../protocol/versions.ts';
import type { ProcessHost } from '../supervisor/process-host.ts';
import type { Workers } from '../supervisor/workers.ts';
import { createAwaitedStatements } from './awaited-statements.ts';
import { guardFolder } from './own-socket.ts';
import type { Upgrade } from './upgrade-self.ts';

/** A worker that hangs may make recovery longer; then what is known is told. */
const RECOVERY_TIMEOUT_MS = 2_000;

/** Ids of the keys by which the client will sign what it is asked to. */
const signersSchema = z.array(z.string().max(200)).max(16).default([]);
const deploySchema = z.strictObject({
  ref: z.string().min(1).max(1_000).default('HEAD'),
  isDirty: z.boolean().default(false),
  bundle: z.string().startsWith('/').max(4_096).optional(),
  path: z.enum(['auto', 'swap', 'handoff', 'restart']).default('auto'),
  plan: z
    .string()
    .regex(/^[0-9a-f]{32}$/, 'is not the id of a plan, which has 32 hexadecimal digits')
    .nullable()
    .default(null),
  detach: z.boolean().default(false),
  waitMs: z.number().int().min(0).max(TIMEOUT_MS_MAX).default(0),
  signers: signersSchema,
});
const limitSchema = z.coerce.number().int().min(1).max(10_000).default(20);
const collectSchema = z.strictObject({ isDryRun: z.boolean().default(false) });
const scaleSchema = z.strictObject({ workers: z.number().int().min(1).max(WORKERS_MAX).nullable() });
const rollbackSchema = z.strictObject({
  release: z.string().nullable().default(null),
  signers: signersSchema,
});
const statementSchema = z.strictObject({ release: z.string(), envelope: envelopeSchema.nullable() });
const abortSchema = z.strictObject({ run: z.number().int().nullable().default(null) });

export interface ControlOptions {
  readonly socket: string;
  readonly appName: string;
  readonly deployer: Deployer;
  readonly workers: Workers;
  readonly history: History;
  readonly host: ProcessHost;
  readonly upgrade: Upgrade;
  readonly version: string;
  readonly keeper: Inventory;
  /** Before that nobody knows what serves. */
  readonly recovered: Promise<void>;
  readonly audit: Audit;
  /** Of the newest statement that was accepted. */
  highestCounter(): number;
  onStop(): void;
}

export interface ControlServer {
  close(): void;
}

/** Listens; a socket file that a dead supervisor left is replaced. The caller holds the lock of the directory. */
export async function openControlServer(options: ControlOptions): Promise<ControlServer> {
  const app = toRoutes(options);
  guardFolder(options.socket);
  const server = createAdaptorServer({ fetch: app.fetch });
  rmSync(options.socket, { force: true });
  const mask = process.umask(0o177);
  server.listen(options.socket);
  process.umask(mask);
  await once(server, 'listening');
  await chmod(options.socket, 0o600);
  return {
    close() {
      server.close();
      rmSync(options.socket, { force: true });
    },
  };
}

function toRoutes({
  appName,
  deployer,
  workers,
  history,
  host,
  upgrade,
  version,
  keeper,
  recovered,
  audit,
  highestCounter,
  onStop,
}: ControlOptions): Hono {
  const app = new Hono();
  const statements = createAwaitedStatements();
  const actorOf = (context: Context): Actor => parseClient(context.req.header(CLIENT_HEADER));
  /** Asks the client who has keys. */
  const toSigner = (ids: readonly string[], { send, gone }: Listener): Signer => ({
    ids,
    async sign(release, action) {
      await send('sign', { release, action, highestCounter: highestCounter() });
      return statements.wait(release, gone);
    },
  });
  app.onError((error, context) => {
    if (!(error instanceof z.ZodError)) return context.json({ error: toFailure(error) }, 500);
    const usage = new MidflightError('ERR_MIDFLIGHT_USAGE', [z.prettifyError(error)], { cause: error });
    return context.json({ error: toFailure(usage) }, 400);
  });
  app.use(async (context, next) => {
    context.header(CONTROL_PROTOCOL_HEADER, toRangeText(protocols.control));
    // A client of another make says nothing, and takes what it gets.
    const range = parseRange(context.req.header(CONTROL_PROTOCOL_HEADER));
    if (range !== null) negotiate('control', 'The command line', range);
    await next();
  });
  const waitForRecovery = async (): Promise<unknown> =>
    Promise.race([recovered, sleep(RECOVERY_TIMEOUT_MS, null, { ref: false })]);
  app.get('/status', async (context) => {
    await waitForRecovery();
    return context.json({
      app: appName,
      release: workers.currentRelease()?.manifest.id ?? null,
      keeper: { pid: keeper.keeper.pid },
      supervisor: { pid: process.pid, version, restarts: keeper.restarts, upgrade: upgrade.outcome() },
      workers: await workers.status(),
      isStopping: workers.isStopping(),
      lastCrash: workers.lastCrash(),
      listeners: await host.listeners(),
      deploy: deployer.status(),
      notice: history.notice(),
    });
  });
  app.get('/history', (context) =>
    context.json(history.list(limitSchema.parse(context.req.query('limit'))).map(toSummarized)),
  );
  app.post('/deploy', async (context) => {
    const { signers, ...request } = deploySchema.parse(await context.req.json());
    const actor = actorOf(context);
    return streamSSE(context, (stream) =>
      follow(stream, deployer, (caller, following) =>
        deployer.deploy(request, { ...caller, actor, signer: toSigner(signers, following) }),
      ),
    );
  });
  app.post('/rollback', async (context) => {
    const { signers, release } = rollbackSchema.parse(await context.req.json());
    const actor = actorOf(context);
    return streamSSE(context, (stream) =>
      follow(stream, deployer, (caller, following) =>
        deployer.rollback(release, { ...caller, actor, signer: toSigner(signers, following) }),
      ),
    );
  });
  app.get('/follow', (context) => streamSSE(context, (stream) => followOn(stream, deployer)));
  app.post('/abort', async (context) => {
    const { run } = abortSchema.parse(await context.req.json());
    deployer.abort(run);
    audit({ action: 'abort', actor: actorOf(context), result: 'begun' });
    return context.json({ aborted: true });
  });
  app.post('/scale', async (context) => {
    const { workers: count } = scaleSchema.parse(await context.req.json());
    const scaled = await deployer.scale(count);
    audit({ action: 'scale', actor: actorOf(context), result: 'done', detail: `${scaled} workers` });
    return context.json({ workers: scaled });
  });
  app.post('/gc', async (context) => {
    const options = collectSchema.parse(await context.req.json());
    await waitForRecovery();
    const report = await deployer.collect(options);
    if (!options.isDryRun) audit(toCollectEntry(actorOf(context), report));
    return context.json(report);
  });
  app.post('/stop', (context) => {
    audit({ action: 'stop', actor: actorOf(context), result: 'begun' });
    setImmediate(onStop);
    return context.json({ stopping: keeper.keeper.pid });
  });
  app.post('/upgrade-self', async (context) => {
    const answer = await upgrade.begin();
    const detail = `to ${answer.version}`;
    audit({ action: 'upgrade-self', actor: actorOf(context), result: 'begun', detail });
    return context.json(answer);
  });
  app.post('/statement', async (context) => {
    const { release, envelope } = statementSchema.parse(await context.req.json());
    return context.json({ isAwaited: statements.deliver(release, envelope) });
  });
  return app;
}

interface EventStream {
  writeSSE(message: { event: string; data: string }): Promise<void>;
  onAbort(act: () => void): void;
}

function toSender(stream: EventStream): (event: string, data: unknown) => Promise<void> {
  return (event, data) => stream.writeSSE({ event, data: JSON.stringify(data) });
}

/** What the deploy that is under way has told, and then as `follow`. */
async function followOn(stream: EventStream, deployer: Deployer): Promise<void> {
  const send = toSender(stream);
  const onProgress = (progress: Progress): void => {
    if (progress.run === followed?.run) void send('progress', progress);
  };
  let followed: Following | null = null;
  deployer.events.on('progress', onProgress);
  try {
    followed = deployer.follow();
    for (const progress of followed.told) void send('progress', progress);
    await send('report', await followed.ended);
  } catch (error) {
    await send('error', toFailure(error));
  } finally {
    deployer.events.off('progress', onProgress);
  }
}

/** How a client that follows is reached. */
interface Listener {
  send(event: string, data: unknown): Promise<void>;
  readonly gone: AbortSignal;
}

/** Progress as it comes, then one `report` or `error`. A client that goes away ends the wait for a turn, but not a deploy. */
async function follow(
  stream: EventStream,
  deployer: Deployer,
  act: (caller: Omit<DeployCaller, 'actor' | 'signer'>, following: Listener) => Promise<DeployReport>,
): Promise<void> {
  const send = toSender(stream);
  const gone = new AbortController();
  stream.onAbort(() => gone.abort());
  let mine: number | null = null;
  const onProgress = (progress: Progress): void => {
    // That of another deploy is not for who waits for it.
    if (progress.run === mine && mine !== null) void send('progress', progress);
  };
  const caller: Omit<DeployCaller, 'actor' | 'signer'> = {
    signal: gone.signal,
    onWait: (holder) =>
      void send('progress', { step: 'wait', message: `for its turn: ${holder}`, run: null, atMs: 0 }),
    onBegin: (run) => void (mine = run),
  };
  deployer.events.on('progress', onProgress);
  try {
    await send('report', await act(caller, { send, gone: gone.signal }));
  } catch (error) {
    await send('error', toFailure(error));
  } finally {
    deployer.events.off('progress', onProgress);
  }
}
