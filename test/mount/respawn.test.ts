import { existsSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { mountAt } from '../../src/fuse/mount-table.ts';
import { client, eventually, mountProblem, succeed, TestMount } from './harness.ts';

const problem = mountProblem();
const KILLS = 4;

/** Runs a client again and again while daemons are killed; it prints nothing unless something is wrong. */
async function duringKills(mount: TestMount, script: string): Promise<string> {
  const running = client('bash', ['-c', `while [ ! -e ../stop ]; do ${script}; echo >> ../rounds; done`], {
    cwd: mount.mountpoint,
    timeoutMs: 180_000,
  });
  const roundsFile = `${mount.folder}/rounds`;
  const rounds = (): number => (existsSync(roundsFile) ? statSync(roundsFile).size : 0);
  for (let kill = 0; kill < KILLS; kill++) {
    const before = rounds();
    await eventually('the client gets on', () => rounds() > before + 1);
    await mount.killDaemon();
  }
  const last = rounds();
  await eventually('the client gets on', () => rounds() > last + 1);
  writeFileSync(`${mount.folder}/stop`, '');
  const result = await running;
  expect(result.code).toBe(0);
  return result.stdout + result.stderr;
}

describe.skipIf(problem !== undefined)(
  `kill -9 of the daemon${problem === undefined ? '' : ` (${problem})`}`,
  () => {
    it.concurrent('is invisible to readers', async () => {
      const mount = await TestMount.start();
      try {
        await succeed(
          'bash',
          ['-c', 'head -c 2000000 /dev/urandom > ref; cp ref mnt/direct-a; cp ref mnt/slow-b'],
          {
            cwd: mount.folder,
          },
        );
        expect(
          await duringKills(
            mount,
            'cmp ../ref direct-a; dd if=slow-b iflag=direct bs=1M status=none | cmp - ../ref',
          ),
        ).toBe('');
      } finally {
        expect(await mount.stop()).toBe(0);
      }
    });

    it.concurrent('is invisible to listings', async () => {
      const mount = await TestMount.start();
      try {
        await succeed('mkdir', [mount.path('many-3000')]);
        expect(await duringKills(mount, '[ $(find many-3000 | wc -l) = 3001 ] || echo wrong count')).toBe('');
      } finally {
        expect(await mount.stop()).toBe(0);
      }
    });

    it.concurrent('is invisible to writers and loses nothing', async () => {
      const mount = await TestMount.start();
      try {
        const script = `n=$((n+1)); mkdir d$n && echo "content $n" > d$n/file && mv d$n/file d$n/moved && ln -s moved d$n/link
        [ "$(cat d$n/link)" = "content $n" ] || echo wrong content; echo "$n" > ../count`;
        expect(await duringKills(mount, script)).toBe('');
        const count = Number(await succeed('cat', [`${mount.folder}/count`]));
        expect(count).toBeGreaterThan(0);
        const check = `for n in $(seq ${count}); do [ "$(cat d$n/moved)" = "content $n" ] || echo lost $n; done; ls | wc -l`;
        expect(await succeed('bash', ['-c', check], { cwd: mount.mountpoint })).toBe(`${count}\n`);
      } finally {
        expect(await mount.stop()).toBe(0);
      }
    });

    it('tells what it did', async () => {
      const mount = await TestMount.start();
      try {
        await mount.killDaemon();
        expect(mount.find('respawned')).toMatchObject({ cause: 'SIGKILL', deaths: 1, resumed: true });
      } finally {
        await mount.stop();
      }
    });
  },
);

describe.skipIf(problem !== undefined)('kill -9 of the daemon on a kernel that can not resend', () => {
  it('mounts anew at the same place; what was acknowledged is there', async () => {
    const mount = await TestMount.start({ daemonSpec: { withoutResend: true } });
    try {
      await succeed('bash', ['-c', 'echo kept > mnt/file'], { cwd: mount.folder });
      await mount.killDaemon();
      expect(mount.find('respawned')).toMatchObject({ resumed: false });
      expect(mount.messages.filter((message) => message.type === 'mounted')).toHaveLength(2);
      expect(mountAt(mount.mountpoint)?.minor).toBe(mount.find('mounted')!.connection);
      expect(await succeed('cat', [mount.path('file')])).toBe('kept\n');
    } finally {
      expect(await mount.stop()).toBe(0);
    }
  });
});

describe.skipIf(problem !== undefined)('supervisor', () => {
  it('gives up on a daemon that keeps dying, and leaves no mount', async () => {
    const mount = await TestMount.start({ daemonSpec: { dieAtStart: true }, unready: true });
    try {
      expect(await mount.ended()).toBe(1);
      expect(mount.find('fatal')).toMatchObject({
        tag: 'not-running',
        message: expect.stringContaining('died 5 times before it was ready (last: exit code 7)'),
      });
      expect(mountAt(mount.mountpoint)).toBeUndefined();
    } finally {
      await mount.stop();
    }
  });

  it("passes on a daemon's failure and unmounts", async () => {
    const mount = await TestMount.start({ daemonSpec: { refuse: true }, unready: true });
    try {
      expect(await mount.ended()).toBe(1);
      expect(mount.find('fatal')).toMatchObject({
        tag: 'not-a-plate',
        message: 'there is nothing here',
        advice: 'look elsewhere',
      });
      expect(mountAt(mount.mountpoint)).toBeUndefined();
    } finally {
      await mount.stop();
    }
  });

  it('ends cleanly when the mount is taken away by hand', async () => {
    const mount = await TestMount.start();
    try {
      await succeed(process.geteuid?.() === 0 ? 'umount' : 'fusermount3', [
        ...(process.geteuid?.() === 0 ? [] : ['-u']),
        mount.mountpoint,
      ]);
      expect(await mount.ended()).toBe(0);
    } finally {
      await mount.stop();
    }
  });

  it('frees clients on SIGTERM although a file is open', async () => {
    const mount = await TestMount.start();
    try {
      await succeed('bash', ['-c', 'echo x > file'], { cwd: mount.mountpoint });
      const holder = client(
        'bash',
        ['-c', 'exec 3< file; touch ../held; while [ -e ../held ]; do sleep 0.05; done'],
        { cwd: mount.mountpoint },
      );
      await eventually(
        'the file is held',
        async () => (await client('test', ['-e', `${mount.folder}/held`])).code === 0,
      );
      mount.supervisor.kill('SIGTERM');
      expect(await mount.ended()).toBe(0);
      expect(mountAt(mount.mountpoint)).toBeUndefined();
      rmSync(`${mount.folder}/held`);
      await holder;
    } finally {
      await mount.stop();
    }
  });

  it('ends at the second signal although the daemon hangs, and frees its clients', async () => {
    const mount = await TestMount.start();
    try {
      process.kill(await mount.daemonPid(), 'SIGSTOP');
      const stuck = client('ls', [mount.path('nowhere')]);
      mount.supervisor.kill('SIGTERM');
      await eventually('the second signal ends it', () => {
        mount.supervisor.kill('SIGTERM');
        return mount.supervisor.exitCode !== null;
      });
      expect(mount.supervisor.exitCode).toBe(1);
      expect((await stuck).code).toBe(2);
      expect(mountAt(mount.mountpoint)).toBeUndefined();
    } finally {
      await mount.stop();
    }
  });

  it('goes on when whoever started it leaves, and the daemon goes on when the supervisor dies', async () => {
    const mount = await TestMount.start();
    let daemon = 0;
    try {
      mount.supervisor.disconnect();
      await succeed('bash', ['-c', 'echo x > file'], { cwd: mount.mountpoint });
      daemon = await mount.daemonPid();
      mount.supervisor.kill('SIGKILL');
      await mount.ended();
      expect(await succeed('cat', [mount.path('file')])).toBe('x\n');
    } finally {
      await mount.stop();
      if (daemon !== 0) await client('kill', ['-9', String(daemon)]);
    }
  });

  it('wakes the front without touching the mount', async () => {
    const mount = await TestMount.start({ daemonSpec: { kicks: 500 } });
    try {
      await eventually(
        '500 kicks are heard',
        () => mount.find('progress')?.text.startsWith('kicks 500') === true,
      );
    } finally {
      await mount.stop();
    }
  });
});
