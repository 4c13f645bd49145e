/**
 * Packages that load files of the app themselves (autoloaders, job runners): what they get from Node is the module of the
 * graph, not a second copy of it.
 */

import { registerHooks } from 'node:module';
import { exportedNames } from '../protocol/resolve-export.ts';
import { requireInstance, toFile } from './evaluate-commonjs.ts';
import { importInstance } from './evaluate-import.ts';
import type { ModuleInstance } from './module-instance.ts';

interface Bridge {
  import(url: string): Promise<object>;
  require(url: string): unknown;
}

const kBridge = Symbol.for('midflight.bridge');
const BRIDGE = `globalThis[Symbol.for('midflight.bridge')]`;

/** Answers Node's own loads from now on, until the returned function is called. `find` gives the module that a file is in the
 *  generation whose code runs. */
export function bridgeNativeLoads(find: (file: string) => ModuleInstance | null): () => void {
  /** Asked for, and not evaluated yet: the next generation may be another by then. */
  const waiting = new Map<string, ModuleInstance>();
  const take = (url: string): ModuleInstance => {
    const instance = waiting.get(url) ?? find(toFile(url) ?? '');
    waiting.delete(url);
    if (instance === null) throw new Error(`${url} is not in a release that runs`);
    return instance;
  };
  const bridge: Bridge = {
    import: (url) => importInstance(take(url)),
    require: (url) => requireInstance(take(url), null),
  };
  Object.defineProperty(globalThis, kBridge, { value: bridge, configurable: true });
  const hooks = registerHooks({
    load(url, context, nextLoad) {
      const file = toFile(url);
      const instance = file === null ? null : find(file);
      // Data is the same, whoever reads it.
      if (instance === null || instance.manifest.kind === 'json') return nextLoad(url, context);
      waiting.set(url, instance);
      const isRequired = context.conditions.includes('require');
      return isRequired
        ? { format: 'commonjs', source: toCommonJs(url), shortCircuit: true }
        : { format: 'module', source: toEsm(url, exportedNames(instance)), shortCircuit: true };
    },
  });
  return () => hooks.deregister();
}

function toCommonJs(url: string): string {
  return `module.exports = ${BRIDGE}.require(${JSON.stringify(url)});`;
}

function toEsm(url: string, names: ReadonlySet<string>): string {
  const exports = [...names].map((name, index) => {
    const text = JSON.stringify(name);
    return `const $${index} = namespace[${text}]; export { $${index} as ${text} };`;
  });
  return `const namespace = await ${BRIDGE}.import(${JSON.stringify(url)});\n${exports.join('\n')}`;
}
