-- The tables of a tenant. tenant_id comes first in every table, primary key, unique and foreign key, so that the
-- database can be distributed by it and one tenant be exported or restored alone. The columns follow the entities
-- (store/columns.py); keys and checks are second walls behind the rules of domain/. Money is bigint minor units.

-- Who owns a tenant, how many commits it has seen, and the end of its journal.
CREATE TABLE tenant_heads (
    tenant_id text PRIMARY KEY CHECK (tenant_id <> ''),
    owner uuid NOT NULL,
    n bigint NOT NULL CHECK (n >= 0),
    seq bigint NOT NULL CHECK (seq >= 0),
    digest text NOT NULL
);

-- The fence: the first statement of every commit. DB001 says that another process owns the tenant now.
CREATE FUNCTION advance_head(
    the_tenant text, the_owner uuid, expected_n bigint, new_n bigint, new_seq bigint, new_digest text
) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    UPDATE tenant_heads SET n = new_n, seq = new_seq, digest = new_digest
    WHERE tenant_id = the_tenant AND owner = the_owner AND n = expected_n;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'tenant % is not owned by % at commit %', the_tenant, the_owner, expected_n
        USING ERRCODE = 'DB001';
    END IF;
END
$$;

-- identity

CREATE TABLE users (
    tenant_id text NOT NULL,
    id uuid NOT NULL,
    email text NOT NULL,
    email_key text NOT NULL,
    password_hash text,
    role text NOT NULL CHECK (role IN ('user', 'admin')),
    email_confirmed_at timestamptz,
    locked_at timestamptz,
    token_version bigint NOT NULL,
    billing_day bigint NOT NULL CHECK (billing_day BETWEEN 1 AND 28),
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    deleted_at timestamptz,
    PRIMARY KEY (tenant_id, id)
);
-- A deleted user's address may be registered anew.
CREATE UNIQUE INDEX users_email_once ON users (tenant_id, email_key) WHERE deleted_at IS NULL;

CREATE TABLE one_time_codes (
    tenant_id text NOT NULL,
    id uuid NOT NULL,
    purpose text NOT NULL,
    digest text NOT NULL,
    expires_at timestamptz NOT NULL,
    tries_left bigint NOT NULL CHECK (tries_left >= 0),
    used_at timestamptz,
    PRIMARY KEY (tenant_id, id)
);
CREATE INDEX one_time_codes_live ON one_time_codes (tenant_id, id) WHERE used_at IS NULL;

-- Sessions that were logged out, until their tokens expire by themselves: the id is the token's.
CREATE TABLE revoked_tokens (
    tenant_id text NOT NULL,
    id uuid NOT NULL,
    user_id uuid NOT NULL,
    expires_at timestamptz NOT NULL,
    forgotten boolean NOT NULL,
    PRIMARY KEY (tenant_id, id),
    FOREIGN KEY (tenant_id, user_id) REFERENCES users
);

-- Whom an identity provider's subject is here.
CREATE TABLE linked_subjects (
    tenant_id text NOT NULL,
    id uuid NOT NULL,
    user_id uuid NOT NULL,
    created_at timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, id),
    FOREIGN KEY (tenant_id, user_id) REFERENCES users
);

CREATE TABLE customer_profiles (
    tenant_id text NOT NULL,
    id uuid NOT NULL,
    user_id uuid NOT NULL,
    first_name text,
    last_name text,
    company text,
    address_line1 text,
    address_line2 text,
    postal_code text,
    city text,
    state text,
    country text,
    email text,
    phone text,
    customer_type text CHECK (customer_type IN ('business', 'consumer')),
    vat_id text,
    stripe_customer_id text,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, id),
    CONSTRAINT customer_profiles_user_once UNIQUE (tenant_id, user_id),
    FOREIGN KEY (tenant_id, user_id) REFERENCES users
);

-- catalog

CREATE TABLE service_types (
    tenant_id text NOT NULL,
    id uuid NOT NULL,
    key text NOT NULL,
    name text NOT NULL,
    description text,
    provider text NOT NULL,
    config_schema jsonb NOT NULL,
    is_active boolean NOT NULL,
    disallow_statutory_withdrawal boolean NOT NULL,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    deleted_at timestamptz,
    PRIMARY KEY (tenant_id, id)
);
CREATE UNIQUE INDEX service_types_key_once ON service_types (tenant_id, key) WHERE deleted_at IS NULL;

CREATE TABLE service_plans (
    tenant_id text NOT NULL,
    id uuid NOT NULL,
    service_type_id uuid,
    name text NOT NULL,
    description text,
    "interval" text NOT NULL CHECK ("interval" IN ('hour', 'day', 'month', 'year')),
    interval_count bigint NOT NULL CHECK (interval_count > 0),
    billing_day_of_month bigint CHECK (billing_day_of_month BETWEEN 1 AND 31),
    cancel_at_period_end boolean NOT NULL,
    min_commitment_days bigint NOT NULL CHECK (min_commitment_days >= 0),
    notice_days bigint NOT NULL CHECK (notice_days >= 0),
    base_price numeric,
    margin_percent numeric,
    margin_fixed numeric,
    provider_config_defaults jsonb NOT NULL,
    ordering_highlights jsonb NOT NULL,
    allow_customer_location_selection boolean NOT NULL,
    allow_customer_server_type_selection boolean NOT NULL,
    allowed_server_types jsonb NOT NULL,
    is_active boolean NOT NULL,
    tax_category text NOT NULL CHECK (tax_category IN ('standard', 'reduced')),
    bill_in_advance boolean NOT NULL,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    deleted_at timestamptz,
    PRIMARY KEY (tenant_id, id),
    FOREIGN KEY (tenant_id, service_type_id) REFERENCES service_types
);

-- subscriptions

CREATE TABLE subscriptions (
    tenant_id text NOT NULL,
    id uuid NOT NULL,
    number text NOT NULL,
    plan_id uuid NOT NULL,
    user_id uuid NOT NULL,
    status text NOT NULL CHECK (status IN ('active', 'pending_backorder', 'pending_cancel', 'canceled')),
    terms jsonb NOT NULL,
    anchor timestamptz,
    period_index bigint NOT NULL CHECK (period_index >= 0),
    period_start timestamptz,
    period_end timestamptz,
    charged_through timestamptz,
    remind_at timestamptz,
    cancel_requested_at timestamptz,
    cancel_effective_at timestamptz,
    resumed_at timestamptz,
    ended_at timestamptz,
    awaits_server boolean NOT NULL,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, id),
    CONSTRAINT subscriptions_number_once UNIQUE (tenant_id, number),
    CONSTRAINT subscriptions_cancel_has_date CHECK (status <> 'pending_cancel' OR cancel_effective_at IS NOT NULL),
    FOREIGN KEY (tenant_id, plan_id) REFERENCES service_plans,
    FOREIGN KEY (tenant_id, user_id) REFERENCES users
);
CREATE INDEX subscriptions_live ON subscriptions (tenant_id, id) WHERE status <> 'canceled';
CREATE INDEX subscriptions_of_user ON subscriptions (tenant_id, user_id, created_at DESC, id DESC);

CREATE TABLE subscription_items (
    tenant_id text NOT NULL,
    id uuid NOT NULL,
    subscription_id uuid NOT NULL,
    user_id uuid NOT NULL,
    service_type_id uuid,
    provisioning_status text NOT NULL CHECK (provisioning_status IN ('pending', 'active', 'failed')),
    step text CHECK (step IN ('create', 'await_address', 'publish_name', 'switch', 'remove')),
    provider text NOT NULL,
    server_type text NOT NULL,
    location text NOT NULL,
    image text,
    service text CHECK (service IN ('controller', 'manager')),
    config_defaults jsonb NOT NULL,
    sealed_secrets text,
    ssh_public_key text NOT NULL,
    host_public_key text NOT NULL,
    auto_backorder boolean NOT NULL,
    hostname text NOT NULL,
    server_id text,
    public_ip text,
    failure text,
    unwanted_since timestamptz,
    stack_updated_at timestamptz,
    released_at timestamptz,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, id),
    FOREIGN KEY (tenant_id, subscription_id) REFERENCES subscriptions,
    FOREIGN KEY (tenant_id, user_id) REFERENCES users,
    FOREIGN KEY (tenant_id, service_type_id) REFERENCES service_types
);
CREATE INDEX subscription_items_live ON subscription_items (tenant_id, id) WHERE released_at IS NULL;
CREATE INDEX subscription_items_of_subscription ON subscription_items (tenant_id, subscription_id);
CREATE UNIQUE INDEX subscription_items_hostname_once ON subscription_items (tenant_id, hostname)
    WHERE released_at IS NULL;

CREATE TABLE backorders (
    tenant_id text NOT NULL,
    id uuid NOT NULL,
    user_id uuid NOT NULL,
    service_type_id uuid NOT NULL,
    plan_id uuid NOT NULL,
    subscription_id uuid NOT NULL,
    item_id uuid NOT NULL,
    status text NOT NULL CHECK (status IN ('pending', 'retrying', 'fulfilled', 'cancelled', 'failed')),
    failure_reason text,
    provider_errors jsonb NOT NULL,
    preferred_alternatives jsonb NOT NULL,
    attempts bigint NOT NULL CHECK (attempts >= 0),
    retry_at timestamptz,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, id),
    FOREIGN KEY (tenant_id, user_id) REFERENCES users,
    FOREIGN KEY (tenant_id, service_type_id) REFERENCES service_types,
    FOREIGN KEY (tenant_id, plan_id) REFERENCES service_plans,
    FOREIGN KEY (tenant_id, subscription_id) REFERENCES subscriptions,
    FOREIGN KEY (tenant_id, item_id) REFERENCES subscription_items
);
CREATE INDEX backorders_live ON backorders (tenant_id, id) WHERE status IN ('pending', 'retrying', 'failed');
CREATE INDEX backorders_of_user ON backorders (tenant_id, user_id, created_at DESC, id DESC);

-- servers with our label that no item pays for
CREATE TABLE orphan_servers (
    tenant_id text NOT NULL,
    id uuid NOT NULL,
    provider text NOT NULL,
    server_id text NOT NULL,
    name text NOT NULL,
    label_id uuid NOT NULL,
    found_at timestamptz NOT NULL,
    gone_at timestamptz,
    PRIMARY KEY (tenant_id, id)
);
CREATE INDEX orphan_servers_live ON orphan_servers (tenant_id, id) WHERE gone_at IS NULL;

-- invoices: subscription_ids is an array, so that GIN finds an invoice under each of them

CREATE TABLE invoices (
    tenant_id text NOT NULL,
    id uuid NOT NULL,
    user_id uuid NOT NULL,
    subscription_id uuid,
    subscription_ids uuid[] NOT NULL,
    origin text NOT NULL CHECK (origin IN ('billing_run', 'bill_now', 'subscription', 'manual')),
    number text,
    status text NOT NULL CHECK (status IN ('draft', 'issued', 'partially_paid', 'paid', 'overdue', 'void')),
    currency char(3) NOT NULL,
    lines jsonb NOT NULL,
    tax_groups jsonb NOT NULL,
    subtotal_net_minor bigint NOT NULL,
    tax_total_minor bigint NOT NULL,
    total_gross_minor bigint NOT NULL,
    paid_minor bigint NOT NULL,
    balance_minor bigint NOT NULL,
    seller jsonb,
    buyer jsonb,
    issued_at timestamptz,
    issue_date date,
    due_date date,
    overdue_from timestamptz,
    paid_at timestamptz,
    voided_at timestamptz,
    credit_note_number text,
    credit_note_date date,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, id),
    CONSTRAINT invoices_number_once UNIQUE (tenant_id, number),
    CONSTRAINT invoices_credit_note_number_once UNIQUE (tenant_id, credit_note_number),
    CONSTRAINT invoices_gross_adds_up CHECK (subtotal_net_minor + tax_total_minor = total_gross_minor),
    CONSTRAINT invoices_balance_in_bounds CHECK (balance_minor BETWEEN 0 AND total_gross_minor OR status = 'draft'),
    CONSTRAINT invoices_closed_owe_nothing CHECK (balance_minor = 0 OR status NOT IN ('paid', 'void')),
    CONSTRAINT invoices_numbered_when_issued CHECK ((number IS NULL) = (status = 'draft')),
    CONSTRAINT invoices_void_has_credit_note CHECK ((credit_note_number IS NULL) = (status <> 'void')),
    FOREIGN KEY (tenant_id, user_id) REFERENCES users
);
CREATE INDEX invoices_live ON invoices (tenant_id, id) WHERE status NOT IN ('paid', 'void');
CREATE INDEX invoices_newest ON invoices (tenant_id, created_at DESC, id DESC);
CREATE INDEX invoices_of_user ON invoices (tenant_id, user_id, created_at DESC, id DESC);
CREATE INDEX invoices_by_issue_date ON invoices (tenant_id, issue_date) WHERE status NOT IN ('draft', 'void');
CREATE INDEX invoices_of_subscription ON invoices USING gin (subscription_ids) WITH (gin_pending_list_limit = 256);

CREATE TABLE positions (
    tenant_id text NOT NULL,
    id uuid NOT NULL,
    user_id uuid NOT NULL,
    subscription_id uuid NOT NULL,
    plan_id uuid NOT NULL,
    kind text NOT NULL CHECK (kind IN ('period', 'advance', 'usage')),
    source text NOT NULL,
    period_start timestamptz NOT NULL,
    period_end timestamptz NOT NULL,
    description text NOT NULL,
    net_minor bigint NOT NULL,
    currency char(3) NOT NULL,
    tax_category text NOT NULL CHECK (tax_category IN ('standard', 'reduced')),
    price_minor bigint NOT NULL,
    share_numerator bigint NOT NULL CHECK (share_numerator >= 0),
    share_denominator bigint NOT NULL CHECK (share_denominator > 0),
    invoice_id uuid,
    closed_at timestamptz,
    created_at timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, id),
    CONSTRAINT positions_charged_once UNIQUE (tenant_id, subscription_id, kind, period_start, source),
    CONSTRAINT positions_invoiced_are_closed CHECK (invoice_id IS NULL OR closed_at IS NOT NULL),
    FOREIGN KEY (tenant_id, subscription_id) REFERENCES subscriptions,
    FOREIGN KEY (tenant_id, invoice_id) REFERENCES invoices
);
CREATE INDEX positions_live ON positions (tenant_id, id) WHERE closed_at IS NULL;

CREATE TABLE usage_records (
    tenant_id text NOT NULL,
    id uuid NOT NULL,
    subscription_id uuid NOT NULL,
    period_start timestamptz NOT NULL,
    period_end timestamptz NOT NULL,
    payload jsonb NOT NULL,
    digest text NOT NULL,
    cost_minor bigint NOT NULL,
    recorded_at timestamptz NOT NULL,
    position_id uuid,
    PRIMARY KEY (tenant_id, id),
    CONSTRAINT usage_records_once UNIQUE (tenant_id, digest),
    FOREIGN KEY (tenant_id, subscription_id) REFERENCES subscriptions,
    FOREIGN KEY (tenant_id, position_id) REFERENCES positions
);
CREATE INDEX usage_records_live ON usage_records (tenant_id, id) WHERE position_id IS NULL;
CREATE INDEX usage_records_of_subscription ON usage_records (tenant_id, subscription_id, period_start);

-- payments

CREATE TABLE payment_attempts (
    tenant_id text NOT NULL,
    id uuid NOT NULL,
    invoice_id uuid NOT NULL,
    user_id uuid NOT NULL,
    amount_minor bigint NOT NULL CHECK (amount_minor > 0),
    currency char(3) NOT NULL,
    status text NOT NULL CHECK (status IN ('opening', 'open', 'closing', 'processing', 'paid', 'expired', 'failed')),
    session_id text,
    checkout_url text,
    customer_email text,
    stripe_customer_id text,
    expires_at timestamptz,
    failure text,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, id),
    FOREIGN KEY (tenant_id, invoice_id) REFERENCES invoices
);
CREATE INDEX payment_attempts_live ON payment_attempts (tenant_id, id) WHERE status IN ('opening', 'open', 'closing', 'processing');

CREATE TABLE payments (
    tenant_id text NOT NULL,
    id uuid NOT NULL,
    invoice_id uuid NOT NULL,
    user_id uuid NOT NULL,
    amount_minor bigint NOT NULL,
    currency char(3) NOT NULL,
    source text NOT NULL CHECK (source IN ('stripe', 'manual')),
    reference text,
    reason text,
    received_at timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, id),
    FOREIGN KEY (tenant_id, invoice_id) REFERENCES invoices
);
CREATE INDEX payments_of_invoice ON payments (tenant_id, invoice_id, received_at);
CREATE INDEX payments_of_reference ON payments (tenant_id, reference) WHERE reference IS NOT NULL;

-- what isn't ours is recorded, too: invoice_id may name an unknown invoice
CREATE TABLE webhook_events (
    tenant_id text NOT NULL,
    id uuid NOT NULL,
    event_id text NOT NULL,
    type text NOT NULL,
    outcome text NOT NULL,
    invoice_id uuid,
    received_at timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, id),
    CONSTRAINT webhook_events_once UNIQUE (tenant_id, event_id)
);

-- the tenant's own bookkeeping

CREATE TABLE number_ranges (
    tenant_id text NOT NULL,
    id uuid NOT NULL,
    series text NOT NULL,
    last bigint NOT NULL CHECK (last >= 0),
    PRIMARY KEY (tenant_id, id),
    CONSTRAINT number_ranges_series_once UNIQUE (tenant_id, series)
);

CREATE TABLE billing_runs (
    tenant_id text NOT NULL,
    id uuid NOT NULL,
    status text NOT NULL CHECK (status IN ('queued', 'running', 'done')),
    billing_date date,
    billing_days jsonb NOT NULL,
    only_user_id uuid,
    cursor text,
    user_count bigint NOT NULL,
    done bigint NOT NULL,
    failed bigint NOT NULL,
    invoices bigint NOT NULL,
    errors jsonb NOT NULL,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, id)
);
CREATE INDEX billing_runs_live ON billing_runs (tenant_id, id) WHERE status <> 'done';

CREATE TABLE timetables (
    tenant_id text NOT NULL,
    id uuid NOT NULL,
    billing_date_done date NOT NULL,
    zone text NOT NULL,
    test_clock timestamptz,
    PRIMARY KEY (tenant_id, id),
    CONSTRAINT timetables_one_per_tenant UNIQUE (tenant_id)
);

-- what happened: numbered without gaps, chained by digest, and never changed

CREATE TABLE journal (
    tenant_id text NOT NULL,
    seq bigint NOT NULL CHECK (seq > 0),
    at timestamptz NOT NULL,
    kind text NOT NULL,
    level text NOT NULL,
    message text NOT NULL,
    who text NOT NULL,
    cause text NOT NULL,
    entity text NOT NULL,
    entity_id uuid NOT NULL,
    user_id uuid,
    invoice_id uuid,
    data jsonb NOT NULL,
    digest text NOT NULL,
    PRIMARY KEY (tenant_id, seq)
);
CREATE INDEX journal_of_invoice ON journal (tenant_id, invoice_id, seq) WHERE invoice_id IS NOT NULL;
CREATE INDEX journal_of_run ON journal (tenant_id, entity_id)
    WHERE kind IN ('billing_run.queued', 'billing_run.started');

CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% is append-only', TG_TABLE_NAME USING ERRCODE = 'restrict_violation';
END
$$;

CREATE TRIGGER journal_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON journal
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

-- effects that wait, are under way or were given up (failed_at); done ones are deleted

CREATE TABLE outbox (
    tenant_id text NOT NULL,
    id uuid NOT NULL,
    kind text NOT NULL,
    lane text NOT NULL,
    cause text NOT NULL,
    payload text NOT NULL,
    due_at timestamptz NOT NULL,
    attempts bigint NOT NULL,
    last_error text,
    failed_at timestamptz,
    created_at timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, id)
);
-- A billing run leaves thousands of documents: what is due in other lanes is found without passing over them.
CREATE INDEX outbox_due ON outbox (tenant_id, lane, due_at, id) WHERE failed_at IS NULL;

-- what a repeated Idempotency-Key is answered

CREATE TABLE idempotency_answers (
    tenant_id text NOT NULL,
    who text NOT NULL,
    key text NOT NULL,
    request_digest text NOT NULL,
    status bigint NOT NULL,
    body text NOT NULL,
    expires_at timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, who, key)
);
CREATE INDEX idempotency_answers_expiry ON idempotency_answers (tenant_id, expires_at);
