/** CommonJS module → `return function($m){return function(exports,require,module,__filename,__dirname){ source }}`. */

import { initSync, parse as lexExports } from 'cjs-module-lexer';
import MagicString from 'magic-string';
import { literalText, parse, walk, type Node } from './ast.ts';
import {
  chooseNames,
  createRequestList,
  holdToken,
  rewriteDynamicImport,
  rewriteGlobal,
  type Rewrite,
} from './rewrite.ts';
import { analyseScopes } from './scope.ts';

export interface CjsOptions {
  readonly path: string;
  readonly source: string;
  readonly preamble: string;
}

export interface RewrittenCjs {
  readonly rewrite: Rewrite;
  /** The names that `module.exports` is known to have. */
  readonly localExports: readonly string[];
  /** The specifiers of which it has all names. */
  readonly starExports: readonly string[];
}

/** Rewrites a CommonJS module.
 *  Errors: ERR_MIDFLIGHT_SYNTAX. */
export function rewriteCjs({ path, source, preamble }: CjsOptions): RewrittenCjs {
  const parsed = parse({ path, source, sourceType: 'commonjs' });
  const scopes = analyseScopes(parsed.program, 'commonjs');
  const rewrite: Rewrite = {
    ...parsed,
    path,
    source,
    scopes,
    code: new MagicString(source),
    names: chooseNames(source),
    requests: createRequestList(),
  };
  for (const reference of scopes.references.values()) rewriteGlobal(rewrite, reference);
  walk(parsed.program, (node) => rewriteNode(rewrite, node));
  const { code, names, program } = rewrite;
  if (program.hashbang !== null) code.remove(program.hashbang.start, program.hashbang.end);
  const parameters = 'exports,require,module,__filename,__dirname';
  code.prepend(
    `return function(${names.module}){${holdToken(names)}return function(${parameters}){${preamble}`,
  );
  code.append('\n}}');
  return { rewrite, ...exportsOf(source) };
}

function rewriteNode(rewrite: Rewrite, node: Node): void {
  if (node.type === 'ImportExpression') rewriteDynamicImport(rewrite, node);
  if (node.type !== 'CallExpression' || node.callee.type !== 'Identifier' || node.callee.name !== 'require')
    return;
  if (rewrite.scopes.references.get(node.callee)?.variable !== null) return;
  rewrite.requests.add(literalText(node.arguments[0]), 'require');
}

function exportsOf(source: string): { localExports: readonly string[]; starExports: readonly string[] } {
  try {
    initSync();
    const { exports, reexports } = lexExports(source);
    return { localExports: [...new Set(exports)], starExports: [...new Set(reexports)] };
  } catch {
    // The lexer gives up on some valid sources; Node then knows no names either, only the default.
    return { localExports: [], starExports: [] };
  }
}
