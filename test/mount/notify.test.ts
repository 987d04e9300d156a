import { renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Notification } from './fixture/daemon.ts';
import { eventually, mountProblem, succeed, TestMount } from './harness.ts';

const ROOT = 1;
/** The fixture gives the first file that is made number 2. */
const FIRST = 2;

describe.skipIf(mountProblem() !== undefined)('notifications', () => {
  let mount: TestMount;
  beforeAll(async () => {
    mount = await TestMount.start();
    await succeed('bash', ['-c', 'printf before > file; cat file; stat absent 2>/dev/null || true'], {
      cwd: mount.mountpoint,
    });
  });
  afterAll(async () => {
    expect(await mount.stop()).toBe(0);
  });

  /** @returns whether the kernel held what the notification is about. */
  async function notify(order: Notification): Promise<string | undefined> {
    const told = mount.messages.length;
    const draft = join(mount.folder, 'draft');
    writeFileSync(draft, JSON.stringify(order));
    renameSync(draft, join(mount.stateFolder, 'notify'));
    await eventually('the notification is carried out', () => mount.messages.length > told);
    return mount.find('progress')?.text;
  }
  const read = (): Promise<string> => succeed('cat', [mount.path('file')]);

  it('show a change behind the cache when the node is invalidated, not before', async () => {
    expect(await read()).toBe('before');
    writeFileSync(join(mount.stateFolder, `data-${FIRST}`), 'after!');
    expect(await read()).toBe('before');
    expect(await notify({ notify: 'node', node: FIRST })).toBe('notified true');
    expect(await read()).toBe('after!');
  });

  it('put bytes into the cache', async () => {
    expect(await notify({ notify: 'store', node: FIRST, text: 'stored' })).toBe('notified true');
    expect(await read()).toBe('stored');
  });

  it('drop names, also ones that do not exist', async () => {
    expect(await notify({ notify: 'entry', parent: ROOT, name: 'file' })).toBe('notified true');
    expect(await notify({ notify: 'entry', parent: ROOT, name: 'absent' })).toBe('notified true');
    // With its last name a node leaves the cache, and its pages with it.
    expect(await read()).toBe('after!');
    expect(await notify({ notify: 'delete', parent: ROOT, node: FIRST, name: 'file' })).toBe('notified true');
  });

  it('say when the kernel knows nothing of it', async () => {
    expect(await notify({ notify: 'node', node: 4711 })).toBe('notified false');
    expect(await notify({ notify: 'store', node: 4711, text: 'x' })).toBe('notified false');
  });
});
