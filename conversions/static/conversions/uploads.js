// The page of uploads. Each part finds its own elements, and is content where they are missing.

import "./changes.js";
import "./drop.js";
import "./links.js";
import "./news.js";
import "./viewer.js";
