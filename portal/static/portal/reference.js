// Swagger UI in our page. Until it has drawn, and where scripts do not run, the page shows its own list of
// operations; the samples in that list stand in Swagger UI's operations while those are open.

const place = document.getElementById("reference");
const list = document.getElementById("reference-list");
const texts = place.dataset;

// By operation: how React puts its samples where they belong, and back into our list, where samples.js finds them.
const samples = new Map();
for (const element of list?.querySelectorAll(".samples") ?? []) {
  samples.set(element.dataset.operation, (node) => (node ?? list).append(element));
}

// A refusal's body says what to do; its address becomes a link.
function advice(response) {
  try {
    const { detail, extend_url: address } = JSON.parse(response.get("text"));
    return { detail, address: /^https?:/.test(address) ? address : null };
  } catch {
    return {};
  }
}

function plugin(system) {
  const draw = (...of) => system.React.createElement(...of);
  const nothing = () => () => null;
  return {
    components: {
      // The operations alone: our page says the rest, and has its own landmarks.
      OperationsLayout: ({ getComponent }) => draw(getComponent("operations", true)),
    },
    wrapComponents: {
      authorizeBtn: nothing, // our card holds the key
      authorizeOperationBtn: nothing,
      TryItOutButton: nothing, // it is always on
      TextArea: (TextArea) => (props) => draw(TextArea, { ...props, "aria-label": texts.textBody }),
      // A link inside of a button is none: the whole line opens.
      DeepLink: () => ({ text }) => draw("span", null, text),
      parameters: (Parameters) => (props) => {
        const [path, method] = props.pathMethod;
        const ref = samples.get(`${method} ${path}`);
        return draw(system.React.Fragment, null, ref && draw("div", { ref }), draw(Parameters, props));
      },
      liveResponse: (LiveResponse) => (props) => {
        const { detail, address } = props.response.get("error") ? advice(props.response) : {};
        const link = address && draw("a", { href: address }, texts.textExtend);
        const note = detail && draw("p", { className: "advice", role: "status" }, detail, " ", link);
        return draw(system.React.Fragment, null, note, draw(LiveResponse, props));
      },
    },
  };
}

SwaggerUIBundle({
  domNode: place,
  url: texts.url,
  plugins: [plugin],
  layout: "OperationsLayout",
  deepLinking: true,
  defaultModelExpandDepth: 5,
  displayRequestDuration: true,
  tryItOutEnabled: true,
  validatorUrl: null,
  requestInterceptor(request) {
    if (request.loadSpec) {
      return request;
    }
    const key = document.getElementById("key-value")?.value.trim();
    if (key) {
      request.headers["x-api-key"] = key;
    }
    const token = document.getElementById("token-value")?.value.trim();
    if (token) {
      request.headers.authorization = `Bearer ${token}`;
    }
    if (texts.csrf) {
      request.headers["x-csrftoken"] = texts.csrf;
    }
    return request;
  },
  onComplete() {
    place.hidden = false;
    if (list) {
      list.hidden = true;
    }
  },
});
