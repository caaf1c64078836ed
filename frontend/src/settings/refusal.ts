import { ApiError } from '../api/problem';

/** The code of a problem, if the server has answered one. */
export function codeOf(error: Error | null): string | null {
  return error instanceof ApiError ? (error.problem?.code ?? null) : null;
}

/** What the server has against a field, without the name of the field in its body; null for anything else. */
export function fieldRefusal(error: Error | null, field: string): string | null {
  if (!(error instanceof ApiError && error.status === 422 && error.problem)) return null;
  const { detail } = error.problem;
  return detail.startsWith(`${field}: `) ? detail.slice(field.length + 2) : null;
}
