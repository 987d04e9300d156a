import { spawn } from 'node:child_process';
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { launchSupervisor, logPath } from '../../../src/cli/supervisor-launch.ts';
import { CancelledError, FuseUnavailableError } from '../../../src/core/errors.ts';
import type { FromSupervisor } from '../../../src/daemon/supervisor-messages.ts';

let folder = '';
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'platefs launch '));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

/** Runs a supervisor of these lines of code. */
function launch(code: string, signal = new AbortController().signal, onProgress = (_: string) => {}) {
  const entry = join(folder, 'supervisor.mjs');
  writeFileSync(entry, code);
  return launchSupervisor({
    spec: {
      definition: {
        source: '/data/p 1',
        mountpoint: '/mnt/p',
        output: '/o',
        state: folder,
        hooks: [],
        options: { allowOther: true, noPassthrough: false, readOnly: false },
      },
      socketPath: '/x.sock',
      registryFolder: '/r',
      cacheFolder: '/c',
      startedAt: '2026-01-01T00:00:00Z',
    },
    onProgress,
    signal,
    attached: false,
    start: (spec, onMessage) => {
      const log = openSync(join(folder, 'platefs.log'), 'a');
      const child = spawn(process.execPath, [entry, JSON.stringify(spec)], {
        stdio: ['ignore', log, log, 'ipc'],
      });
      closeSync(log);
      child.on('message', (message) => onMessage(message as FromSupervisor));
      return { process: child, detach: () => child.connected && child.disconnect() };
    },
  });
}

describe('starting the supervisor', () => {
  it('hands it everything, passes progress on, and lets go when it is ready', async () => {
    const seen: string[] = [];
    const launched = await launch(
      `console.log(process.argv[2]);
       process.send({ type: 'mounted' });
       process.send({ type: 'progress', text: '500 files' });
       process.send({ type: 'ready' });
       process.once('disconnect', () => process.exit(0));`,
      undefined,
      (text) => seen.push(text),
    );
    expect(seen).toEqual(['500 files']);
    expect(launched.supervisorPid).toBeGreaterThan(0);
    expect(await launched.ended).toBe(0);
    expect(JSON.parse(readFileSync(logPath(folder), 'utf8'))).toMatchObject({
      mountpoint: '/mnt/p',
      allowOther: true,
      sourceLabel: '/data/p 1',
      daemonEntry: expect.stringMatching(/src\/daemon\/main\.ts$/),
      detachedLog: logPath(folder),
      daemonSpec: { socketPath: '/x.sock', definition: { source: '/data/p 1' } },
    });
  });

  it('reports what went wrong in its own words', async () => {
    const fatal = {
      type: 'fatal',
      tag: 'bad-mountpoint',
      message: 'mountpoint /mnt/p is busy',
      advice: 'wait',
    };
    await expect(launch(`process.send(${JSON.stringify(fatal)})`)).rejects.toMatchObject({
      tag: 'bad-mountpoint',
      message: 'mountpoint /mnt/p is busy',
      advice: 'wait',
    });
  });

  it('names the log when it ends without a word', async () => {
    const failure = launch('process.exit(7)');
    await expect(failure).rejects.toThrow(FuseUnavailableError);
    await expect(failure).rejects.toMatchObject({
      message: 'the supervisor ended before the mount was ready (status 7)',
      advice: `see  tail ${logPath(folder)}`,
    });
  });

  it('takes it along at Ctrl-C', async () => {
    const stop = new AbortController();
    const launched = launch(
      `process.on('SIGTERM', () => { console.log('stopped'); process.exit(0); });
       process.send({ type: 'progress', text: 'working' }); setInterval(() => {}, 1000);`,
      stop.signal,
      () => stop.abort(),
    );
    await expect(launched).rejects.toThrow(CancelledError);
    await expect.poll(() => readFileSync(logPath(folder), 'utf8')).toBe('stopped\n');
  });
});
