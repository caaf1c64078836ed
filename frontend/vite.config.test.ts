// @vitest-environment node
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { request } from 'node:http';
import type { AddressInfo } from 'node:net';
import { describe, expect, it } from 'vitest';
import config from './vite.config.ts';
import { answerOnIpv6 } from './vite.loopback.ts';

describe('the development server', () => {
  it('passes the API through under its own origin', () => {
    const api = process.env.API_BASE_URL || 'http://127.0.0.1:8000';
    expect(config.server?.proxy).toEqual({
      '/v1': api,
      '/health': api,
      '/docs': api,
      '/openapi.json': api,
      '/dev': api,
    });
  });

  it('has one port, on this machine only', () => {
    expect(config.server).toMatchObject({ host: '127.0.0.1', port: 5173, strictPort: true });
  });

  it('is reached as the built app is', () => {
    expect(config.preview).toEqual(config.server);
  });

  it('needs no setting: .env has public names only, and the address of the API is left out', () => {
    const lines = readFileSync('.env', 'utf8').split('\n');
    expect(lines).toContain('# VITE_API_BASE_URL=');
    expect(lines.filter((line) => line !== '' && !/^(#|VITE_)/.test(line))).toEqual([]);
  });
});

describe('answerOnIpv6', () => {
  it('lets one server answer on both loopback addresses, until it is closed', async () => {
    const http = createServer((_request, response) => response.end('here'));
    await new Promise<void>((done) => http.listen(0, '127.0.0.1', done));
    const { port } = http.address() as AddressInfo;
    const twin = await answerOnIpv6(http, port);
    // A machine without IPv6 has only the one address to answer on.
    if (twin !== null) expect(await get('::1', port)).toBe('here');
    expect(await get('127.0.0.1', port)).toBe('here');
    await new Promise((done) => http.close(done));
    expect(twin?.listening ?? false).toBe(false);
  });
});

function get(host: string, port: number): Promise<string> {
  return new Promise((resolve, reject) => {
    request({ host, port, agent: false }, (response) => {
      response.setEncoding('utf8');
      let body = '';
      response.on('data', (part: string) => (body += part));
      response.on('end', () => resolve(body));
    })
      .on('error', reject)
      .end();
  });
}
