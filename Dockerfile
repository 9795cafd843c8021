# Build: the full image has python3, make and g++, should better-sqlite3 have no binary for this platform.
FROM node:24-bookworm AS build
WORKDIR /app
COPY package.json package-lock.json ./
RUN npm ci
COPY tsconfig.json ormconfig.ts LICENSE ./
COPY docs/client.md docs/
COPY scripts scripts
COPY src src
COPY studio studio
COPY templates templates
RUN npm run build && npm prune --omit=dev

# Run: the program, the words and shapes of mails and pages, and what it needs to run. Nothing is built here.
FROM node:24-bookworm-slim
WORKDIR /app
ENV NODE_ENV=production DATA_DIR=/data
COPY --from=build /app/package.json ./
COPY --from=build /app/node_modules node_modules
COPY --from=build /app/templates templates
COPY --from=build /app/dist/src dist/src
COPY --from=build /app/dist/studio dist/studio
COPY --from=build /app/dist/templates/shells dist/templates/shells
RUN mkdir /data && chown node:node /data
USER node
VOLUME /data
EXPOSE 3000
# What runs may take up to 25 s to finish: give it 30 (docker run --stop-timeout 30).
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=30s --timeout=5s --start-period=20s \
  CMD ["node", "-e", "fetch(`http://127.0.0.1:${process.env.PORT || 3000}/health/live`).then((answer) => process.exit(answer.ok ? 0 : 1), () => process.exit(1))"]
# Short-lived objects die in a larger nursery: a tenth less work for each mail. What lives longer is some 50 MB: with a bound
# node lets it grow to half as much again before it collects, without one to four times as much.
CMD ["node", "--max-semi-space-size=32", "--max-old-space-size=512", "dist/src/main.js"]
