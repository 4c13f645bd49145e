/** Random graphs of modules behave as in Node, and random edits leave a graph as if it had been loaded fresh. */

import * as fc from 'fast-check';
import assert from 'node:assert/strict';
import path from 'node:path';
import { test, type TestContext } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import { pathToFileURL } from 'node:url';
import type { ModuleGraph } from '../../src/runtime/module-graph.ts';
import { change, createApp, graphOf, type App, type Namespace } from './module-graph-fixture.ts';
import {
  moduleShapes,
  oneModule,
  show,
  startTrace,
  toFiles,
  toSource,
  type ModuleShape,
} from './random-modules.ts';

/** Some milliseconds each; more of them by the variable. A failure says its seed and the smallest graph that fails. */
function runs(few: number): number {
  return Number(process.env['MIDFLIGHT_TEST_RUNS'] ?? few);
}

/** Looking for the smallest graph that fails ends here. */
const SHRINK_MAX_MS = 120_000;

type Load = (name: string) => Promise<object>;

/** Imports the entry and then every other module, and says all that can be seen. */
async function observe(load: Load, count: number): Promise<string[]> {
  const { lines, end } = startTrace();
  for (let index = 0; index < count; index += 1) {
    const outcome = await load(`m${index}.js`).then(describe, explain);
    // What has begun beside a module that failed goes on.
    await turn();
    lines.push(`m${index}: ${outcome}`);
    // After a failure V8 may crash, in Node 24, on the import of a module that was not reached.
    if (outcome === UNLINKED || outcome.startsWith('thrown')) break;
  }
  end();
  return lines;
}

function describe(namespace: object): string {
  const values = Object.keys(namespace).map(
    (name) => `${name}=${show(() => (namespace as Namespace)[name], 0)}`,
  );
  return values.join(' ');
}

/** What the modules throw is text; anything else is that they can't be linked, of which Node words it otherwise. */
function explain(error: unknown): string {
  return typeof error === 'string' ? error : UNLINKED;
}

const UNLINKED = 'not linked';

function nativeLoad({ root }: App): Load {
  return (name) => import(pathToFileURL(path.join(root, name)).href) as Promise<object>;
}

async function graphLoad(app: App): Promise<Load> {
  const graph = await graphOf(app);
  return async (name) => {
    const entry = graph.instances.get('main.js');
    assert.ok(entry !== undefined);
    return await graph.import(entry, `./${name}`);
  };
}

/** An app with an entry that leads to all modules, and runs none. */
function createRandomApp(t: TestContext, shapes: readonly ModuleShape[]): App {
  const all = shapes.map((_, index) => `() => import('./m${index}.js')`);
  return createApp(t, { 'main.js': `export default [${all.join()}];`, ...toFiles(shapes) });
}

// Node tells of modules whose syntax says what they are, and of what is missing in a cycle of CommonJS.
process.emitWarning = () => undefined;

test('random modules are linked and evaluated as in Node', async (t) => {
  await fc.assert(
    fc.asyncProperty(moduleShapes, async (shapes) => {
      const app = createRandomApp(t, shapes);
      const native = await observe(nativeLoad(app), shapes.length);
      const ours = await observe(await graphLoad(app), shapes.length);
      assert.deepEqual(ours, native);
    }),
    { numRuns: runs(120), interruptAfterTimeLimit: SHRINK_MAX_MS },
  );
});

interface EditShape {
  readonly module: number;
  readonly to: ModuleShape | 'as before' | 'no module';
  /** Going back though it was fine, as a failed probation does. */
  readonly isTakenBack: boolean;
}

const edits: fc.Arbitrary<EditShape[]> = fc.array(
  fc.record({
    module: fc.nat(7),
    to: fc.oneof(
      { weight: 8, arbitrary: oneModule },
      { weight: 1, arbitrary: fc.constant('as before' as const) },
      { weight: 1, arbitrary: fc.constant('no module' as const) },
    ),
    isTakenBack: fc.boolean(),
  }),
  { minLength: 1, maxLength: 6 },
);

/** The versions of an app that is edited while it runs. */
interface Edited {
  readonly app: App;
  readonly shapes: readonly ModuleShape[];
  /** The sources that the current graph was made of. */
  readonly sources: Map<string, string>;
  graph: ModuleGraph | null;
}

/** Writes a version, tries it, and takes it back where it fails or has to go. */
async function apply(edited: Edited, { module, to, isTakenBack }: EditShape): Promise<void> {
  const { app, shapes, sources, graph } = edited;
  const at = module % shapes.length;
  const name = `m${at}.js`;
  const before = sources.get(name) ?? '';
  const after =
    to === 'no module' ? 'not a module' : to === 'as before' ? before : toSource(shapes.with(at, to), at);
  change(app, { [name]: after });
  const next = await attempt(app, graph);
  if (next === null || isTakenBack) {
    change(app, { [name]: before });
    graph?.adopt();
    return;
  }
  next.adopt();
  sources.set(name, after);
  edited.graph = next;
}

async function attempt(app: App, previous: ModuleGraph | null): Promise<ModuleGraph | null> {
  const { end } = startTrace();
  try {
    const graph = await graphOf(app, previous === null ? {} : { previous });
    await graph.load();
    await graph.evaluate();
    return graph;
  } catch {
    // Many random versions can't run; the one before does.
    return null;
  } finally {
    await turn();
    end();
  }
}

/** All values that can be reached now; nothing is evaluated by it. What modules saw when they were evaluated (`t`) is the same, too,
 *  unless one awaits: in a fresh graph others may run meanwhile, and an edited one doesn't wait for what it shares. */
function probe(graph: ModuleGraph): string[] {
  const isWaiting = [...graph.instances.values()].some(({ manifest }) => manifest.hasTopLevelAwait);
  const { end } = startTrace();
  const paths = [...graph.instances.keys()].filter(
    (at) => graph.instances.get(at)?.evaluation.status === 'evaluated',
  );
  const found = paths.toSorted().map((at) => `${at} ${describe(graph.namespace(at) ?? {})}`);
  end();
  return isWaiting ? found.map((line) => line.replaceAll(/ t\d=.*?(?= v\d=)/g, '')) : found;
}

test('random edits, failures and going back leave the graph as one that is loaded fresh', async (t) => {
  await fc.assert(
    fc.asyncProperty(moduleShapes, edits, async (shapes, list) => {
      const sources = new Map(Object.entries(toFiles(shapes)));
      const app = createApp(t, { 'main.js': `import './m0.js';`, ...Object.fromEntries(sources) });
      const edited: Edited = { app, shapes, sources, graph: await attempt(app, null) };
      for (const edit of list) await apply(edited, edit);
      const fresh = await attempt(app, null);
      assert.deepEqual(edited.graph && probe(edited.graph), fresh && probe(fresh));
    }),
    { numRuns: runs(40), interruptAfterTimeLimit: SHRINK_MAX_MS },
  );
});
