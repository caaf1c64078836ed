import type { DenialCode, StreamQuery } from '../../api/types';
import { texts } from '../../texts';
import { isId } from '../audit/auditSearch';

/** What the address of the live view says. */
export interface StreamSearch {
  readonly only?: NonNullable<StreamQuery['only']>;
  readonly code?: DenialCode;
  /** The id of an account. */
  readonly account?: string;
}

/** Reads the address; what it does not know is left out. */
export function streamSearch({ only, code, account }: Record<string, unknown>): StreamSearch {
  return {
    ...(only === 'denial' || only === 'act' ? { only } : {}),
    ...(typeof code === 'string' && Object.hasOwn(texts.requests.codes, code) ? { code: code as DenialCode } : {}),
    ...(isId(account) ? { account } : {}),
  };
}
