/** A folder of plugins behind HTTP: GET /hello/Ada calls `hello` of plugins/hello.ts, as it is then. */

import { createServer } from 'node:http';
import { fn, watchPlugins } from 'midflight/plugin';

const plugins = await watchPlugins('plugins', { hello: fn<(name: string) => string>() });
plugins
  .on('added', ({ name }) => console.log(`added ${name}`))
  .on('swap', ({ name }) => console.log(`swapped ${name}`))
  .on('removed', ({ name }) => console.log(`removed ${name}`))
  .on('rejected', ({ name, error }) => console.log(`rejected ${name}: ${error.message}`));

createServer((request, response) => {
  const [, plugin = '', name = ''] = (request.url ?? '').split('/');
  const found = plugins.get(plugin);
  if (found === undefined) response.statusCode = 404;
  response.end(
    found?.exports.hello(decodeURIComponent(name)) ??
      `there is ${[...plugins].map(({ name }) => name).join(', ')}`,
  );
}).listen(Number(process.env['PORT'] ?? 3000), '127.0.0.1');
