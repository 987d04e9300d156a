import { readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { UnreadableSourceError } from '../../core/errors.ts';
import { systemCode } from '../../core/system-code.ts';
import type { S3Credentials } from './s3-signature.ts';

/** How an S3-compatible service is reached. */
export interface S3Settings {
  readonly region: string;
  /** Of a service that is not Amazon's. */
  readonly endpoint?: string;
  /** Absent for anonymous access. */
  readonly credentials?: S3Credentials;
}

type Environment = Readonly<Record<string, string | undefined>>;
type Section = ReadonlyMap<string, string>;

/** Amazon's where nothing is said; anonymous requests are told the right one. */
const DEFAULT_REGION = 'us-east-1';

/**
 * The settings that the AWS command line would use: environment variables (`AWS_ACCESS_KEY_ID`,
 * `AWS_SECRET_ACCESS_KEY`, `AWS_SESSION_TOKEN`, `AWS_REGION`, `AWS_DEFAULT_REGION`, `AWS_ENDPOINT_URL_S3`,
 * `AWS_ENDPOINT_URL`, `AWS_PROFILE`), then `~/.aws/credentials` and `~/.aws/config` or what
 * `AWS_SHARED_CREDENTIALS_FILE` and `AWS_CONFIG_FILE` name (AWS SDKs and Tools Reference Guide, "Settings reference").
 * Without keys, or with GDAL's `AWS_NO_SIGN_REQUEST=YES`, access is anonymous.
 * @throws UnreadableSourceError naming `url` when a named profile isn't there, or its keys come from elsewhere.
 */
export function s3Settings(url: string, env: Environment = process.env): S3Settings {
  const named = env['AWS_PROFILE'];
  const profile = named || 'default';
  const config = sectionOf(env['AWS_CONFIG_FILE'] || join(homedir(), '.aws', 'config'), [
    profile === 'default' ? 'default' : `profile ${profile}`,
  ]);
  const keys = sectionOf(env['AWS_SHARED_CREDENTIALS_FILE'] || join(homedir(), '.aws', 'credentials'), [
    profile,
  ]);
  if (named && !config && !keys)
    throw new UnreadableSourceError(url, `there is no profile ${JSON.stringify(named)} in ~/.aws`, {
      advice: 'set AWS_PROFILE to one that there is, or unset it',
    });
  const region =
    env['AWS_REGION'] || env['AWS_DEFAULT_REGION'] || keys?.get('region') || config?.get('region');
  const endpoint =
    env['AWS_ENDPOINT_URL_S3'] ||
    env['AWS_ENDPOINT_URL'] ||
    keys?.get('endpoint_url') ||
    config?.get('endpoint_url');
  const isAnonymous = /^(?:yes|true|1)$/i.test(env['AWS_NO_SIGN_REQUEST'] ?? '');
  const credentials = isAnonymous
    ? undefined
    : (fromEnvironment(env) ??
      fromSection(keys) ??
      fromSection(config) ??
      refuseOthers(url, profile, config));
  return {
    region: region || DEFAULT_REGION,
    ...(endpoint ? { endpoint } : {}),
    ...(credentials ? { credentials } : {}),
  };
}

function fromEnvironment(env: Environment): S3Credentials | undefined {
  return credentials(env['AWS_ACCESS_KEY_ID'], env['AWS_SECRET_ACCESS_KEY'], env['AWS_SESSION_TOKEN']);
}

function fromSection(section: Section | undefined): S3Credentials | undefined {
  return credentials(
    section?.get('aws_access_key_id'),
    section?.get('aws_secret_access_key'),
    section?.get('aws_session_token'),
  );
}

function credentials(
  accessKeyId: string | undefined,
  secretAccessKey: string | undefined,
  sessionToken: string | undefined,
): S3Credentials | undefined {
  if (!accessKeyId || !secretAccessKey) return undefined;
  return { accessKeyId, secretAccessKey, ...(sessionToken ? { sessionToken } : {}) };
}

/** Settings that say where keys come from, other than from the file. */
const OTHER_SOURCES = [
  'sso_session',
  'sso_start_url',
  'role_arn',
  'credential_process',
  'web_identity_token_file',
];

/** Access must not silently become anonymous where keys are meant to come from elsewhere. */
function refuseOthers(url: string, profile: string, config: Section | undefined): undefined {
  const other = OTHER_SOURCES.find((name) => config?.has(name));
  if (other === undefined) return undefined;
  throw new UnreadableSourceError(url, `the keys of profile ${profile} come from ${other}`, {
    advice: `run: eval "$(aws configure export-credentials --profile ${profile} --format env)"`,
  });
}

/** A section of an ini file; undefined when there is no such file or section. */
function sectionOf(path: string, names: readonly string[]): Section | undefined {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (cause) {
    const code = systemCode(cause);
    if (code === 'ENOENT' || code === 'ENOTDIR') return undefined;
    throw new UnreadableSourceError(path, 'reading failed', { cause });
  }
  let found: Map<string, string> | undefined;
  let isInside = false;
  for (const line of text.split(/\r?\n/)) {
    const header = /^\s*\[\s*([^\]]*?)\s*\]/.exec(line);
    if (header) {
      isInside = names.includes(header[1] ?? '');
      if (isInside) found ??= new Map();
      continue;
    }
    // Lines that begin with a space belong to a setting of several lines.
    const setting = /^([\w-]+)\s*=\s*(.*?)\s*$/.exec(line);
    if (isInside && setting) found?.set((setting[1] ?? '').toLowerCase(), setting[2] ?? '');
  }
  return found;
}
