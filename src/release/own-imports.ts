/** The imports of a source that lead to files of the app, also those of types alone, which a manifest does not know. */

import { existsSync } from 'node:fs';
import path from 'node:path';
import { parseSync, type Node } from 'oxc-parser';
import type { Resolver } from './resolve.ts';
import { walk } from './transform/ast.ts';
import { isTyped } from './type-problems.ts';

export interface OwnImport {
  /** Where the specifier stands in the text, with its quotes. */
  readonly start: number;
  readonly end: number;
  readonly specifier: string;
  readonly target: string;
  /** The file that has the types of `target`: itself, or a declaration beside it. */
  readonly types: string;
}

/** None where the source can't be parsed. */
export function readOwnImports(resolver: Resolver, at: string, source: string): readonly OwnImport[] {
  const { program, errors } = parseSync(at, source);
  if (errors.some(({ severity }) => severity === 'Error')) return [];
  const found: OwnImport[] = [];
  walk(program, (node) => {
    const named = toSpecifier(node);
    if (named?.type !== 'Literal' || typeof named.value !== 'string') return;
    const target = resolver.resolve(at, named.value, 'static');
    const types = target.kind === 'module' ? findTypes(resolver.root, target.path) : null;
    if (target.kind !== 'module' || types === null) return;
    const { start, end, value: specifier } = named;
    found.push({ start, end, specifier, target: target.path, types });
  });
  return found;
}

function toSpecifier(node: Node): Node | null {
  switch (node.type) {
    case 'ImportDeclaration':
    case 'ExportNamedDeclaration':
    case 'ExportAllDeclaration':
    case 'ImportExpression':
    case 'TSImportType':
      return node.source;
    case 'TSExternalModuleReference':
      return node.expression;
    default:
      return null;
  }
}

function findTypes(root: string, at: string): string | null {
  if (isTyped(at)) return at;
  const declaration = at.replace(/\.([cm]?)jsx?$/, '.d.$1ts');
  return isTyped(declaration) && existsSync(path.join(root, declaration)) ? declaration : null;
}
