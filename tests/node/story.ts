// The customer's and the operator's whole story, told by the generated client from Node, with a socket watching.
// What only somebody outside can do (read a mail, pay at Stripe) is asked for by a line on stdout, answered on stdin.
import assert from "node:assert/strict";
import { createInterface } from "node:readline";
import { setTimeout as wait } from "node:timers/promises";
import axios, { AxiosError } from "axios";
import { io, Socket } from "socket.io-client";
import * as api from "./index";

const basePath = process.env["API_URL"]!;
const password = "correct horse battery";
const answers = createInterface({ input: process.stdin })[Symbol.asyncIterator]();

async function ask(what: Record<string, string>): Promise<string> {
  console.log(JSON.stringify(what));
  const answer = await answers.next();
  return answer.value as string;
}

async function until<T>(what: string, look: () => Promise<T | undefined>): Promise<T> {
  for (let tries = 0; tries < 150; tries++) {
    const found = await look();
    if (found !== undefined) return found;
    await wait(100);
  }
  throw new Error(`not within 15 s: ${what}`);
}

async function refused(call: Promise<unknown>, status: number): Promise<api.ErrorResponse> {
  const error = await call.then(
    () => assert.fail("it was not refused"),
    (error: AxiosError<api.ErrorResponse>) => error,
  );
  assert.equal(error.response?.status, status);
  assert.equal(error.response.data.statusCode, status);
  return error.response.data;
}

function isPdf(content: unknown): void {
  const bytes = Buffer.from(content as ArrayBuffer);
  assert.equal(bytes.subarray(0, 5).toString(), "%PDF-");
  assert.ok(bytes.length > 10_000);
}
const asBytes = { responseType: "arraybuffer" } as const;

class Person {
  readonly config: api.Configuration;
  readonly auth: api.AuthenticationApi;
  readonly invoices: api.InvoicesApi;
  readonly subscriptions: api.SubscriptionsApi;
  readonly catalog: api.CatalogApi;
  token = "";

  constructor(readonly email: string) {
    this.config = new api.Configuration({ basePath, accessToken: () => this.token });
    this.auth = new api.AuthenticationApi(this.config);
    this.invoices = new api.InvoicesApi(this.config);
    this.subscriptions = new api.SubscriptionsApi(this.config);
    this.catalog = new api.CatalogApi(this.config);
  }

  async logIn(): Promise<api.UserResponse> {
    const { data } = await this.auth.login({ loginDto: { email: this.email, password } });
    this.token = data.access_token;
    return data.user;
  }
}

class Watching {
  readonly snapshots: unknown[] = [];
  readonly errors: string[] = [];
  ended = false;

  private constructor(readonly socket: Socket) {
    socket.on("dashboardStatusUpdate", (snapshot) => this.snapshots.push(snapshot));
    socket.on("error", ({ message }) => this.errors.push(message));
    socket.on("disconnect", () => (this.ended = true));
  }

  static async by(person: Person): Promise<Watching> {
    const { data } = await new api.SiteApi(person.config).getConfig();
    const auth = { Authorization: `Bearer ${person.token}`, tenantId: "default" };
    const socket = io(data.websocketUrl + data.websocketNamespace, { auth, reconnection: false });
    const watching = new Watching(socket);
    await new Promise((resolve, reject) => socket.once("connect", () => resolve(0)).once("connect_error", reject));
    await socket.timeout(5000).emitWithAck("subscribeDashboardStatus", { pollIntervalMs: 10_000 });
    assert.equal(watching.snapshots.length, 1, "the first snapshot comes before the acknowledgement");
    return watching;
  }
}

async function moveClock(admin: Person, days: number): Promise<void> {
  const now = new Date(Date.now() + days * 86_400_000).toISOString();
  const headers = { Authorization: `Bearer ${admin.token}` };
  await axios.post(`${basePath}/admin/billing/test-clock`, { now }, { headers });
}

async function openShop(admin: Person): Promise<api.ServicePlanResponse> {
  const { data: registered } = await admin.auth.register({ registerDto: { email: admin.email, password } });
  assert.equal(registered.user.role, api.UserRole.Admin);
  await admin.logIn();
  const type = { key: "hosting", name: "Hosting", provider: "none" };
  const { data: serviceType } = await admin.catalog.createServiceType({ createServiceTypeDto: type });
  const { data: plan } = await admin.catalog.createServicePlan({
    createServicePlanDto: {
      serviceTypeId: serviceType.id,
      name: "Basic",
      billingIntervalType: api.CreateServicePlanDtoBillingIntervalTypeEnum.Month,
      billingIntervalValue: 1,
      billingDayOfMonth: 1,
      basePrice: "10.0000",
      cancelAtPeriodEnd: true,
    },
  });
  assert.equal(plan.basePrice, "10.0000");
  return plan;
}

async function signUp(customer: Person): Promise<void> {
  await customer.auth.register({ registerDto: { email: customer.email, password } });
  assert.equal((await refused(customer.logIn(), 401)).code, "EMAIL_NOT_CONFIRMED");
  const code = await ask({ ask: "code", email: customer.email });
  await customer.auth.confirmEmail({ confirmEmailDto: { email: customer.email, code } });
  await customer.logIn();
}

async function order(customer: Person): Promise<string> {
  const { data: offers } = await customer.catalog.listPublicServicePlanOfferings();
  const planId = offers[0]!.id;
  const { data: price } = await customer.catalog.previewPricing({ pricingPreviewDto: { planId } });
  assert.equal(price.totalPrice, 10);
  await refused(customer.subscriptions.createSubscription({ createSubscriptionDto: { planId } }), 400);
  const customerProfileDto = {
    firstName: "Ada", lastName: "Lovelace", email: customer.email, addressLine1: "12 St James Square",
    postalCode: "SW1Y 4JH", city: "London", country: "GB",
  };
  await new api.CustomerApi(customer.config).updateCustomerProfile({ customerProfileDto });
  const request = { createSubscriptionDto: { planId }, idempotencyKey: "order-1" };
  const { data: ordered } = await customer.subscriptions.createSubscription(request);
  const { data: again } = await customer.subscriptions.createSubscription(request);
  assert.deepEqual(again, ordered);
  const { data: all } = await customer.subscriptions.listSubscriptions({ limit: 5 });
  assert.deepEqual(all.map(({ id, status }) => [id, status]), [[ordered.id, "active"]]);
  return ordered.id;
}

async function payInvoice(customer: Person, subscriptionId: string): Promise<string> {
  const { data: listed } = await customer.invoices.listInvoices({ subscriptionId });
  const invoiceRefId = listed.at(-1)!.id;
  const { data: invoice } = await customer.invoices.getInvoiceDetailsByRef({ invoiceRefId });
  assert.equal(invoice.lineItems.length > 0, true);
  assert.equal(invoice.balanceDue, invoice.totalGross);
  isPdf((await customer.invoices.downloadInvoicePdfByRef({ invoiceRefId }, asBytes)).data);
  const { data: payment } = await customer.invoices.initiateInvoicePaymentByRef({ invoiceRefId });
  await ask({ ask: "pay", url: payment.checkoutUrl });
  const paid = await until("paid", async () => {
    const { data } = await customer.invoices.getInvoiceDetailsByRef({ invoiceRefId });
    return data.status === "paid" ? data : undefined;
  });
  assert.equal(paid.balanceDue, 0);
  const { data: open } = await customer.invoices.listOpenOverdueInvoices();
  assert.equal(open.some(({ id }) => id === invoiceRefId), false);
  return invoiceRefId;
}

async function operate(admin: Person, customerEmail: string, paidId: string): Promise<void> {
  const operator = new api.AdministrationApi(admin.config);
  const users = new api.UsersApi(admin.config);
  const { data: summary } = await operator.getAdminBillingSummary();
  assert.equal(summary.activeSubscriptionsCount, 1);
  const { data: found } = await operator.listAdminInvoices({ search: customerEmail, limit: 100 });
  assert.equal(found.items.some(({ id, status }) => id === paidId && status === "paid"), true);
  const user = (await users.listUsers()).data.find(({ email }) => email === customerEmail)!;

  const lineItems = [{ description: "Help", quantity: 1.5, unitPriceNet: 80 }];
  const { data: draft } = await operator.createManualInvoice({ createManualInvoiceDto: { userId: user.id, lineItems } });
  assert.equal(draft.status, "draft");
  const invoiceRefId = draft.id;
  const { data: issued } = await operator.issueManualInvoice({ invoiceRefId, issueManualInvoiceDto: { dueInDays: 7 } });
  assert.match(issued.invoiceNumber!, /^INV-\d{4}-\d{5}$/);
  assert.equal(issued.subtotalNet, 120);
  await refused(operator.deleteManualInvoice({ invoiceRefId }), 409);
  await operator.adminMarkInvoicePaid({ invoiceRefId, markInvoicePaymentStatusDto: { reason: "cash" } });
  await operator.adminMarkInvoiceUnpaid({ invoiceRefId, markInvoicePaymentStatusDto: { reason: "it was forged" } });
  assert.equal((await operator.adminVoidInvoice({ invoiceRefId })).data.status, "void");
  isPdf((await operator.downloadAdminInvoiceVoidDocumentPdf({ invoiceRefId }, asBytes)).data);
  const { data: log } = await operator.listAdminInvoiceAuditLogs({ invoiceRefId });
  assert.ok(log.total >= 5);

  const { data: run } = await operator.adminBillNow({ adminBillNowDto: { userId: user.id } });
  await until("billed", async () => {
    const { data } = await operator.getAdminBillNow({ requestId: run.requestId });
    return data.status === "done" ? data : undefined;
  });
  const { data: statistics } = await operator.getAdminBillingStatisticsSummary({ groupBy: "month" });
  assert.ok(statistics.totalGross > 0);
  const { data: profiles } = await operator.listAdminCustomerProfiles();
  assert.equal(profiles.items[0]!.isComplete, true);
  await users.lockUser({ id: user.id });
}

async function tell(): Promise<void> {
  const admin = new Person("admin@example.com");
  const customer = new Person("ada@example.com");
  await openShop(admin);
  await signUp(customer);
  const watching = await Watching.by(customer);
  const subscriptionId = await order(customer);
  await moveClock(admin, 70);
  const paidId = await payInvoice(customer, subscriptionId);
  const cancelled = await customer.subscriptions.cancelSubscription({ subscriptionId });
  assert.equal(cancelled.data.status, "pending_cancel");
  await customer.subscriptions.resumeSubscription({ subscriptionId });
  await refused(new api.UsersApi(customer.config).listUsers(), 403);
  await operate(admin, customer.email, paidId);
  assert.match((await refused(customer.invoices.getInvoicesSummary(), 401)).message, /locked/);
  await until("the socket is shown out", async () => (watching.ended ? true : undefined));
  assert.match(watching.errors.at(-1)!, /locked/);
  console.log(JSON.stringify({ told: watching.snapshots.length }));
}

tell().then(() => process.exit(0), (error) => {
  console.error(error instanceof AxiosError ? { ...error.toJSON(), answer: error.response?.data } : error);
  process.exit(1);
});
