import type { Statistics } from '../../api/types';
import { texts } from '../../texts';
import { formatCount, formatMoney, formatShare } from '../../texts/format';
import { Panel } from '../../ui/Panel';
import { TableBox } from '../../usage/TableBox';
import classes from './Overview.module.css';

/** What is counted of the platform, as tables. */
export function Figures({ statistics }: { readonly statistics: Statistics }) {
  const words = texts.admin.overview;
  return (
    <div className={classes.figures}>
      <Panel heading={words.users}>
        <UserTable statistics={statistics} />
      </Panel>
      <Panel heading={words.plans}>
        <PlanTable statistics={statistics} />
      </Panel>
      <Panel heading={words.revenue}>
        <p className={classes.note}>{words.revenueNote}</p>
        <RevenueTable statistics={statistics} />
      </Panel>
      <Panel heading={words.usage}>
        <p className={classes.note}>{words.usageNote}</p>
        <UsageTable statistics={statistics} />
      </Panel>
    </div>
  );
}

interface TableProps {
  readonly statistics: Statistics;
}

function UserTable({ statistics }: TableProps) {
  const words = texts.admin.overview;
  const all = statistics.total_users;
  const rows = [
    [words.rows.active, statistics.active_users],
    [words.rows.unverified, statistics.unverified_users],
    [words.rows.suspended, statistics.suspended_users],
    [words.rows.secondFactor, statistics.users_with_mfa],
    [words.rows.superadmins, statistics.superadmins],
  ] as const;
  return (
    <TableBox caption={words.users}>
      <thead>
        <tr>
          <th scope="col">{words.figure}</th>
          <th scope="col">{words.count}</th>
          <th scope="col">{words.share}</th>
        </tr>
      </thead>
      <tbody>
        <tr>
          <th scope="row">{words.rows.total}</th>
          <td>{formatCount(all)}</td>
          <td />
        </tr>
        {rows.map(([name, count]) => (
          <tr key={name}>
            <th scope="row">{name}</th>
            <td>{formatCount(count)}</td>
            <td>{all > 0 && formatShare(count, all)}</td>
          </tr>
        ))}
        <tr>
          <th scope="row">{words.rows.sessions}</th>
          <td>{formatCount(statistics.active_sessions)}</td>
          <td />
        </tr>
      </tbody>
    </TableBox>
  );
}

function PlanTable({ statistics }: TableProps) {
  const words = texts.admin.overview;
  const plans = Object.entries(statistics.subscriptions_by_plan);
  if (plans.length === 0) return <p className={classes.note}>{words.noPlans}</p>;
  return (
    <TableBox caption={words.plans}>
      <thead>
        <tr>
          <th scope="col">{words.plan}</th>
          <th scope="col">{words.subscriptions}</th>
        </tr>
      </thead>
      <tbody>
        {plans.map(([plan, count]) => (
          <tr key={plan}>
            <th scope="row">{plan}</th>
            <td>{formatCount(count)}</td>
          </tr>
        ))}
      </tbody>
      <tfoot>
        <tr>
          <th scope="row">{words.total}</th>
          <td>{formatCount(statistics.total_active_subscriptions)}</td>
        </tr>
      </tfoot>
    </TableBox>
  );
}

function RevenueTable({ statistics }: TableProps) {
  const words = texts.admin.overview;
  const revenue = Object.entries(statistics.mrr_by_currency);
  if (revenue.length === 0) return <p className={classes.note}>{words.noRevenue}</p>;
  return (
    <TableBox caption={words.revenue}>
      <thead>
        <tr>
          <th scope="col">{words.currency}</th>
          <th scope="col">{words.amount}</th>
        </tr>
      </thead>
      <tbody>
        {revenue.map(([currency, minor]) => (
          <tr key={currency}>
            <th scope="row">{currency.toUpperCase()}</th>
            <td>{formatMoney(minor, currency)}</td>
          </tr>
        ))}
      </tbody>
    </TableBox>
  );
}

function UsageTable({ statistics }: TableProps) {
  const words = texts.admin.overview;
  const rows = [
    [words.rows.calls, statistics.total_api_calls],
    [words.rows.jobs, statistics.total_jobs_created],
    [words.rows.storage, statistics.total_storage_mb],
  ] as const;
  return (
    <TableBox caption={words.usage}>
      <thead>
        <tr>
          <th scope="col">{words.figure}</th>
          <th scope="col">{words.count}</th>
        </tr>
      </thead>
      <tbody>
        {rows.map(([name, count]) => (
          <tr key={name}>
            <th scope="row">{name}</th>
            <td>{formatCount(count)}</td>
          </tr>
        ))}
      </tbody>
    </TableBox>
  );
}
