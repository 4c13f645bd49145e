/** What commands of a build find in their environment. */

import assert from 'node:assert/strict';
import path from 'node:path';
import { test } from 'node:test';
import {
  passedInAnyCase,
  passedNames,
  passedPrefixes,
  toBuildEnvironment,
  toGitEnvironment,
} from '../../src/release/build-environment.ts';
import { readText } from '../docs/markdown.ts';

test('a build gets what it needs to work, what is named, and nothing else of the service', () => {
  const environment = {
    PATH: '/bin',
    HOME: '/home/me',
    https_proxy: 'http://proxy',
    npm_config_registry: 'http://registry',
    LC_TIME: 'C',
    DATABASE_URL: 'canary',
    NODE_ENV: 'production',
    NODE_OPTIONS: '--require=./x.js',
    npm_package_name: 'shop',
    GIT_DIR: '/other/.git',
    NPM_TOKEN: 'token',
  };
  const { PATH = '', ...others } = toBuildEnvironment(environment, {
    names: ['NPM_TOKEN'],
    binaries: ['/app/bin'],
  });
  assert.deepEqual(PATH.split(path.delimiter), ['/app/bin', path.dirname(process.execPath), '/bin']);
  assert.deepEqual(others, {
    HOME: '/home/me',
    https_proxy: 'http://proxy',
    npm_config_registry: 'http://registry',
    LC_TIME: 'C',
    NPM_TOKEN: 'token',
  });
});

test('git is never led to another repository, and asks nobody', () => {
  const environment = toGitEnvironment({
    GIT_DIR: '/x',
    GIT_INDEX_FILE: '/y',
    GIT_SSH_COMMAND: 'ssh -i key',
    LC_ALL: 'de',
  });
  assert.deepEqual(
    { ...environment, PATH: '' },
    { GIT_SSH_COMMAND: 'ssh -i key', GIT_TERMINAL_PROMPT: '0', LANGUAGE: 'C', LC_ALL: 'C', PATH: '' },
  );
});

test('the reference of the configuration names every variable that is passed', () => {
  const text = readText('docs/reference/config.md');
  for (const name of [...passedNames, ...passedInAnyCase, ...passedPrefixes])
    assert.ok(text.includes(`\`${name}\``), name);
});
