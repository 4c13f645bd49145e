/** What the app's tsconfig.json says about the code that is emitted. */

import { existsSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { parseSync, type Expression } from 'oxc-parser';
import type { JsxOptions } from 'oxc-transform';

export interface TypeScriptSettings {
  readonly hasLegacyDecorators: boolean;
  readonly emitsDecoratorMetadata: boolean;
  /** `verbatimModuleSyntax`: an import stays unless it says `type`. */
  readonly keepsUnusedImports: boolean;
  /** `useDefineForClassFields`. */
  readonly definesClassFields: boolean;
  readonly jsx: JsxOptions;
}

type CompilerOptions = Readonly<Record<string, unknown>>;

/** How deep `extends` may go; more is a cycle. */
const EXTENDS_DEPTH_MAX = 16;

/** Reads `tsconfig.json` in `root`; the defaults of TypeScript where there is none. */
export function readTypeScriptSettings(root: string): TypeScriptSettings {
  const options = readCompilerOptions(path.join(root, 'tsconfig.json'), 0);
  return {
    hasLegacyDecorators: options['experimentalDecorators'] === true,
    emitsDecoratorMetadata: options['emitDecoratorMetadata'] === true,
    keepsUnusedImports: options['verbatimModuleSyntax'] === true,
    definesClassFields: definesClassFields(options),
    jsx: toJsxOptions(options),
  };
}

function definesClassFields({ useDefineForClassFields, target }: CompilerOptions): boolean {
  if (typeof useDefineForClassFields === 'boolean') return useDefineForClassFields;
  if (typeof target !== 'string') return true;
  const year = /^es(\d{4})$/i.exec(target)?.[1];
  return year === undefined ? !/^es[3-6]$/i.test(target) : Number(year) >= 2022;
}

function toJsxOptions(options: CompilerOptions): JsxOptions {
  const text = (name: string): string | undefined => {
    const value = options[name];
    return typeof value === 'string' ? value : undefined;
  };
  const importSource = text('jsxImportSource');
  if (text('jsx') === 'react') {
    return { runtime: 'classic', pragma: text('jsxFactory'), pragmaFrag: text('jsxFragmentFactory') };
  }
  return { runtime: 'automatic', ...(importSource === undefined ? {} : { importSource }) };
}

function readCompilerOptions(file: string, depth: number): CompilerOptions {
  if (depth > EXTENDS_DEPTH_MAX || !existsSync(file)) return {};
  const config = parseJsonWithComments(readFileSync(file, 'utf8'));
  const parents = [config['extends'] ?? []].flat().filter((parent) => typeof parent === 'string');
  const inherited = parents.map((parent) => readCompilerOptions(resolveParent(file, parent), depth + 1));
  const own = config['compilerOptions'];
  return Object.assign({}, ...inherited, isRecord(own) ? own : {}) as CompilerOptions;
}

function resolveParent(file: string, parent: string): string {
  if (parent.startsWith('.') || path.isAbsolute(parent)) {
    const resolved = path.resolve(path.dirname(file), parent);
    return resolved.endsWith('.json') ? resolved : `${resolved}.json`;
  }
  const require = createRequire(file);
  for (const candidate of [parent, `${parent}.json`, `${parent}/tsconfig.json`]) {
    try {
      return require.resolve(candidate);
    } catch {
      // Not under this name; the next one is tried.
    }
  }
  return '';
}

/** JSON with comments and trailing commas is an expression of JavaScript; only its literals are read. */
function parseJsonWithComments(text: string): Record<string, unknown> {
  const { program } = parseSync('tsconfig.js', `(${text.replace(/^\uFEFF/, '')}\n)`, {
    preserveParens: false,
  });
  const [statement] = program.body;
  const value = statement?.type === 'ExpressionStatement' ? toValue(statement.expression) : {};
  return isRecord(value) ? value : {};
}

function toValue(node: Expression): unknown {
  if (node.type === 'Literal') return node.value;
  if (node.type === 'ArrayExpression') return node.elements.map((element) => toValue(element as Expression));
  if (node.type !== 'ObjectExpression') return undefined;
  const entries = node.properties.flatMap((property) => {
    if (property.type !== 'Property' || property.key.type !== 'Literal') return [];
    return [[String(property.key.value), toValue(property.value)] as const];
  });
  return Object.fromEntries(entries);
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
