import { Button, NativeSelect } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { useNavigate } from '@tanstack/react-router';
import { noticedUsageQuery } from '../api/queries';
import { texts } from '../texts';
import { DayFields } from '../ui/DayFields';
import { meterName } from '../usage/meterText';
import classes from './Requests.module.css';
import { requestsSearch, type RequestsSearch } from './search';

/** Which refusals are listed. What is chosen here is kept in the address. */
export function Filters({ search }: { readonly search: RequestsSearch }) {
  const navigate = useNavigate();
  const usage = useQuery(noticedUsageQuery).data;
  const words = texts.requests;
  const meters = new Map(usage?.meters.map(({ meter, name }) => [meter, name]));
  // An address may name one that the plan does not count any more.
  if (search.meter !== undefined && !meters.has(search.meter)) meters.set(search.meter, meterName(search.meter));
  // What is empty or unknown is left out of the address.
  const show = (changed: Partial<Record<keyof RequestsSearch, string>>): void =>
    void navigate({ to: '/app/requests', search: requestsSearch({ ...search, ...changed }), resetScroll: false });
  return (
    <div className={classes.filters}>
      <NativeSelect
        label={words.code}
        value={search.code ?? ''}
        data={[{ value: '', label: words.any }, ...Object.entries(words.codes).map(([value, label]) => ({ value, label }))]}
        onChange={({ currentTarget: { value } }) => show({ code: value })}
      />
      <NativeSelect
        label={words.meter}
        value={search.meter ?? ''}
        data={[{ value: '', label: words.any }, ...Array.from(meters, ([value, label]) => ({ value, label }))]}
        onChange={({ currentTarget: { value } }) => show({ meter: value })}
      />
      <DayFields range={search} onChange={show} />
      {Object.keys(search).length > 0 && (
        <Button variant="default" onClick={() => void navigate({ to: '/app/requests', resetScroll: false })}>
          {words.clear}
        </Button>
      )}
    </div>
  );
}
