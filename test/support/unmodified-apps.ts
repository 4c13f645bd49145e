/** Apps as their frameworks' own guides and generators lay them out; nothing in them knows of Midflight. */

import type { Files } from './app.ts';

export interface UnmodifiedApp {
  readonly name: string;
  readonly files: Files;
  /** The one module that a commit changes, with the version in it. */
  toVersion(version: string): Files;
}

const expressGenerator: UnmodifiedApp = {
  name: 'Express, as its generator makes it (CommonJS, bin/www)',
  files: {
    'package.json': JSON.stringify({
      name: 'generated',
      version: '0.0.0',
      private: true,
      scripts: { start: 'node ./bin/www' },
    }),
    'bin/www': `#!/usr/bin/env node

var app = require('../app');
var http = require('http');

var port = normalizePort(process.env.PORT || '3000');
app.set('port', port);

var server = http.createServer(app);
server.listen(port);
server.on('error', onError);
server.on('listening', onListening);

function normalizePort(val) {
  var port = parseInt(val, 10);
  if (isNaN(port)) return val;
  if (port >= 0) return port;
  return false;
}

function onError(error) {
  if (error.syscall !== 'listen') throw error;
  switch (error.code) {
    case 'EADDRINUSE':
      console.error(port + ' is already in use');
      process.exit(1);
      break;
    default:
      throw error;
  }
}

function onListening() {
  var addr = server.address();
  console.log('Listening on port ' + addr.port);
}
`,
    'app.js': `var express = require('express');
var path = require('path');

var indexRouter = require('./routes/index');
var usersRouter = require('./routes/users');

var app = express();

app.use(express.json());
app.use(express.urlencoded({ extended: false }));
app.use(express.static(path.join(__dirname, 'public')));

app.use('/', indexRouter);
app.use('/users', usersRouter);

app.use(function (err, req, res, next) {
  res.status(err.status || 500);
  res.send(String(err.message));
});

module.exports = app;
`,
    'routes/index.js': `var express = require('express');
var version = require('../lib/version');
var router = express.Router();

router.get('/', function (req, res, next) {
  var before = version.name;
  setTimeout(function () {
    res.json({ version: before, versionAfter: require('../lib/version').name, pid: process.pid });
  }, Number(req.query.ms || 0));
});

module.exports = router;
`,
    'routes/users.js': `var router = require('express').Router();
router.get('/', function (req, res) {
  res.send('respond with a resource');
});
module.exports = router;
`,
    'public/style.css': 'body { margin: 0 }\n',
  },
  toVersion: (version) => ({ 'lib/version.js': `exports.name = '${version}';\n` }),
};

const fastifyPlugins: UnmodifiedApp = {
  name: 'Fastify, as its generator lays it out (ES modules, autoloaded plugins and routes)',
  files: {
    'package.json': JSON.stringify({ name: 'service', private: true, type: 'module', main: 'src/server.js' }),
    'src/server.js': `import { buildApp } from './app.js';

const app = buildApp({ logger: false });

for (const signal of ['SIGINT', 'SIGTERM']) {
  process.once(signal, async () => {
    await app.close();
    process.exit(0);
  });
}

try {
  await app.listen({ port: process.env.PORT, host: process.env.HOST ?? '0.0.0.0' });
} catch (error) {
  app.log.error(error);
  process.exit(1);
}
`,
    'src/app.js': `import path from 'node:path';
import AutoLoad from '@fastify/autoload';
import Fastify from 'fastify';

export function buildApp(options) {
  const app = Fastify(options);
  app.register(AutoLoad, { dir: path.join(import.meta.dirname, 'plugins') });
  app.register(AutoLoad, { dir: path.join(import.meta.dirname, 'routes') });
  app.addHook('onRequest', async (request) => {
    request.log.debug('incoming');
  });
  return app;
}
`,
    'src/plugins/clock.js': `async function clock(app) {
  app.decorate('uptime', () => process.uptime());
}
clock[Symbol.for('skip-override')] = true;
export default clock;
`,
    'src/routes/root.js': `import { setTimeout as sleep } from 'node:timers/promises';
import { version } from '../version.js';

export default async function routes(app) {
  app.get('/', async (request) => {
    const before = version();
    await sleep(Number(request.query.ms ?? 0));
    return { version: before, versionAfter: version(), pid: process.pid };
  });
}
`,
  },
  toVersion: (version) => ({ 'src/version.js': `export const version = () => '${version}';\n` }),
};

const socketIoChat: UnmodifiedApp = {
  name: 'Socket.IO, with Express (CommonJS, scripts.start)',
  files: {
    'package.json': JSON.stringify({
      name: 'chat',
      private: true,
      main: 'index.js',
      scripts: { start: 'NODE_ENV=production node index.js' },
    }),
    'index.js': `const express = require('express');
const { createServer } = require('node:http');
const { join } = require('node:path');
const { Server } = require('socket.io');
const { version } = require('./version');

const app = express();
const server = createServer(app);
const io = new Server(server);

app.get('/', (req, res) => {
  const before = version();
  setTimeout(() => res.json({ version: before, versionAfter: version(), pid: process.pid }), Number(req.query.ms ?? 0));
});

io.on('connection', (socket) => {
  socket.on('chat message', (msg, reply) => {
    io.emit('chat message', msg);
    reply(version());
  });
});

const port = process.env.PORT || 3000;
server.listen(port, () => {
  console.log(\`server running at http://localhost:\${port}\`);
});
`,
  },
  toVersion: (version) => ({ 'version.js': `exports.version = () => '${version}';\n` }),
};

export const unmodifiedApps: readonly UnmodifiedApp[] = [expressGenerator, fastifyPlugins, socketIoChat];
