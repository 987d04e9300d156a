import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { coldCacheFolder, hdf5Library, s3Credentials } from '../../../src/cli/doctor-source-checks.ts';

const folder = mkdtempSync(join(tmpdir(), 'platefs-doctor-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
/** No settings of whoever runs the tests. */
const NO_AWS = { AWS_CONFIG_FILE: '/nowhere/config', AWS_SHARED_CREDENTIALS_FILE: '/nowhere/credentials' };

describe('what doctor says of what sources need', () => {
  it('loads the HDF5 library', async () => {
    expect(await hdf5Library()).toEqual({ verdict: 'ok', detail: 'HDF5 and AnnData files can be read' });
  });

  it('finds keys for S3 and shows none of them', () => {
    const env = {
      ...NO_AWS,
      AWS_ACCESS_KEY_ID: 'AKIAEXAMPLE',
      AWS_SECRET_ACCESS_KEY: 'topsecret',
      AWS_SESSION_TOKEN: 'tokenword',
      AWS_REGION: 'eu-central-1',
      AWS_ENDPOINT_URL: 'https://user:password@s3.example.org/?x=y',
    };
    const found = s3Credentials(env);
    expect(found).toEqual({
      verdict: 'ok',
      detail: 'keys found (eu-central-1, https://s3.example.org/); not tried',
    });
    expect(s3Credentials(NO_AWS).detail).toContain('no keys (us-east-1)');
  });

  it('says what to do where keys come from elsewhere, or a profile is not there', () => {
    const config = join(folder, 'config');
    writeFileSync(config, '[default]\nsso_session = lab\n');
    expect(s3Credentials({ ...NO_AWS, AWS_CONFIG_FILE: config })).toMatchObject({
      verdict: 'warn',
      advice: expect.stringContaining('aws configure export-credentials'),
    });
    expect(s3Credentials({ ...NO_AWS, AWS_PROFILE: 'gone' })).toMatchObject({
      verdict: 'warn',
      detail: expect.stringContaining('there is no profile "gone"'),
    });
  });

  it('tells how full the cold cache is, and where it can not be', () => {
    const small = { PLATEFS_COLD_CACHE: '1MiB' };
    expect(coldCacheFolder(small, folder)).toMatchObject({
      verdict: 'ok',
      detail: expect.stringMatching(/renders: 0 B of at most 1(\.0)? MiB, .* free on its disk$/),
    });
    expect(coldCacheFolder({ PLATEFS_COLD_CACHE: '8000TiB' }, folder)).toMatchObject({
      verdict: 'warn',
      advice: expect.stringMatching(/PLATEFS_COLD_CACHE=[\d.]+[KMGT]iB$/),
    });
    expect(coldCacheFolder({ PLATEFS_COLD_CACHE: 'off' }, folder).detail).toContain('off');
    expect(coldCacheFolder({ PLATEFS_COLD_CACHE: 'lots' }, folder)).toMatchObject({ verdict: 'warn' });
    writeFileSync(join(folder, 'file'), '');
    expect(
      coldCacheFolder({ ...small, PLATEFS_COLD_CACHE_DIR: join(folder, 'file/below') }, folder),
    ).toMatchObject({ verdict: 'warn', detail: expect.stringContaining('cannot be written') });
  });
});
