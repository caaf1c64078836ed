import { useInfiniteQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { refusalsQuery } from '../../api/adminDecisions';
import { texts } from '../../texts';
import { formatClock, formatCount } from '../../texts/format';
import { ErrorNotice } from '../../ui/ErrorNotice';
import { Placeholder } from '../../ui/Placeholder';
import type { Reader } from '../../usage/meterText';
import { TableBox } from '../../usage/TableBox';
import { decisionsSearch } from '../decisions/decisionsSearch';
import classes from './Overview.module.css';
import { byCode } from './refusalsByCode';

/** What was refused lately, by its code, with the way to each. */
export function NewestRefusals({ reader }: { readonly reader: Reader }) {
  const found = useInfiniteQuery(refusalsQuery({}));
  const words = texts.admin.overview;
  if (found.data === undefined) {
    if (found.isPending) return <Placeholder width="100%" height={120} line={144} />;
    return (
      <ErrorNotice error={found.error} title={texts.adminDecisions.failed} onRetry={() => void found.refetch()} />
    );
  }
  const known: Readonly<Record<string, string>> = texts.requests.codes;
  const newest = found.data.pages[0]?.items ?? [];
  if (newest.length === 0) return <p className={classes.note}>{words.noRefusals}</p>;
  return (
    <>
      <p className={classes.note}>{newest.length === 1 ? words.refusalsNoteOne : words.refusalsNote(formatCount(newest.length))}</p>
      <TableBox caption={words.refusals}>
        <thead>
          <tr>
            <th scope="col">{words.code}</th>
            <th scope="col">{words.times}</th>
            <th scope="col">{words.newest}</th>
          </tr>
        </thead>
        <tbody>
          {byCode(newest).map(({ code, times, newestAt }) => (
            <tr key={code}>
              <th scope="row">
                <Link to="/admin/decisions" search={decisionsSearch({ code })}>
                  {known[code] ?? code}
                </Link>
              </th>
              <td>{formatCount(times)}</td>
              <td>{formatClock(newestAt, reader.zone, reader.now)}</td>
            </tr>
          ))}
        </tbody>
      </TableBox>
    </>
  );
}
