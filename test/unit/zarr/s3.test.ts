import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { inRegion } from '../../../src/zarr/remote/request.ts';
import { s3Settings } from '../../../src/zarr/remote/s3-settings.ts';
import { signedHeaders, strictEncode } from '../../../src/zarr/remote/s3-signature.ts';

describe('signatures', () => {
  // The examples of the Amazon S3 API Reference, "Authenticating Requests: Using the Authorization Header".
  const keys = {
    accessKeyId: 'AKIAIOSFODNN7EXAMPLE',
    secretAccessKey: 'wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY',
  };
  const now = new Date('2013-05-24T00:00:00Z');
  it.each([
    ['/test.txt', { range: 'bytes=0-9' }, 'f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41'],
    ['/?max-keys=2&prefix=J', {}, '34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7'],
    ['/?lifecycle=', {}, 'fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543'],
  ])('of %s are those that Amazon publishes', (path, headers, signature) => {
    const url = new URL(`https://examplebucket.s3.amazonaws.com${path}`);
    const signed = signedHeaders('GET', url, headers, 'us-east-1', keys, now);
    expect(signed['authorization']).toContain(`Signature=${signature}`);
  });

  it('cover names that other encodings leave as they are', () => {
    expect(strictEncode("a b!'()*~/ü")).toBe('a%20b%21%27%28%29%2A~%2F%C3%BC');
  });
});

it('a bucket of Amazon’s is asked for where it is, and others where they are said to be', () => {
  const moved = (url: string): string => inRegion(url, 'eu-central-1').href;
  expect(moved('https://b.s3.us-east-1.amazonaws.com/a%20b')).toBe(
    'https://b.s3.eu-central-1.amazonaws.com/a%20b',
  );
  expect(moved('https://s3.us-east-1.amazonaws.com/b.c/a')).toBe(
    'https://s3.eu-central-1.amazonaws.com/b.c/a',
  );
  expect(moved('https://minio.lab:9000/b/a')).toBe('https://minio.lab:9000/b/a');
});

describe('settings of S3', () => {
  const folder = mkdtempSync(join(tmpdir(), 'platefs-s3-'));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));
  const credentials = join(folder, 'credentials');
  const config = join(folder, 'config');
  const files = { AWS_SHARED_CREDENTIALS_FILE: credentials, AWS_CONFIG_FILE: config };
  writeFileSync(
    credentials,
    '# keys\r\n[default]\r\naws_access_key_id = A\r\naws_secret_access_key=S==\r\n\r\n[lab]\naws_access_key_id=B\naws_secret_access_key=T\naws_session_token = U\n',
  );
  writeFileSync(
    config,
    '[default]\nregion = eu-west-1\n[profile lab]\nendpoint_url = https://s3.lab.example\nregion = lab\ns3 =\n  addressing_style = path\n[profile sso]\nsso_session = x\n',
  );

  it('come from the files of the AWS command line', () => {
    expect(s3Settings('s3://b', files)).toEqual({
      region: 'eu-west-1',
      credentials: { accessKeyId: 'A', secretAccessKey: 'S==' },
    });
    expect(s3Settings('s3://b', { ...files, AWS_PROFILE: 'lab' })).toEqual({
      region: 'lab',
      endpoint: 'https://s3.lab.example',
      credentials: { accessKeyId: 'B', secretAccessKey: 'T', sessionToken: 'U' },
    });
  });

  it('come from the environment first; without keys access is anonymous', () => {
    const env = {
      ...files,
      AWS_ACCESS_KEY_ID: 'E',
      AWS_SECRET_ACCESS_KEY: 'F',
      AWS_REGION: 'r',
      AWS_ENDPOINT_URL: 'http://e',
    };
    expect(s3Settings('s3://b', env)).toEqual({
      region: 'r',
      endpoint: 'http://e',
      credentials: { accessKeyId: 'E', secretAccessKey: 'F' },
    });
    expect(s3Settings('s3://b', { ...env, AWS_NO_SIGN_REQUEST: 'YES' }).credentials).toBeUndefined();
    const none = { AWS_CONFIG_FILE: join(folder, 'none'), AWS_SHARED_CREDENTIALS_FILE: join(folder, 'none') };
    expect(s3Settings('s3://b', none)).toEqual({ region: 'us-east-1' });
  });

  it('that name what is not there, or keys from elsewhere, are refused with what to do', () => {
    expect(() => s3Settings('s3://b', { ...files, AWS_PROFILE: 'nobody' })).toThrow(/no profile "nobody"/);
    expect(() => s3Settings('s3://b', { ...files, AWS_PROFILE: 'sso' })).toThrow(/come from sso_session/);
  });
});
