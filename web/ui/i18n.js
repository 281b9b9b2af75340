// Every word that people read, in one table: English, German, French, Spanish.
// `{name}` is filled in. Keys that end in .one and .other are forms of a number.

const languages = ['en', 'de', 'fr', 'es']

/** @type {Record<string, [string, string, string, string]>} */
const table = {
  'app.title': ['Chat', 'Chat', 'Chat', 'Chat'],
  'app.loading': ['Loading…', 'Lädt …', 'Chargement…', 'Cargando…'],
  'app.open': ['Open chat', 'Chat öffnen', 'Ouvrir le chat', 'Abrir el chat'],
  'app.close': ['Close', 'Schließen', 'Fermer', 'Cerrar'],
  'app.cancel': ['Cancel', 'Abbrechen', 'Annuler', 'Cancelar'],
  'app.you': ['you', 'du', 'vous', 'tú'],
  'app.guest': ['Guest {n}', 'Gast {n}', 'Invité {n}', 'Invitado {n}'],
  'app.tryAgain': ['Try again', 'Noch einmal', 'Réessayer', 'Reintentar'],
  'app.unread.one': ['{n} new message', '{n} neue Nachricht', '{n} nouveau message', '{n} mensaje nuevo'],
  'app.unread.other': ['{n} new messages', '{n} neue Nachrichten', '{n} nouveaux messages', '{n} mensajes nuevos'],

  'page.title': ['Chat rooms that vanish', 'Chaträume, die verschwinden', 'Des salons qui disparaissent', 'Salas que desaparecen'],
  'page.brand': ['Ephemeral Chat', 'Ephemeral Chat', 'Ephemeral Chat', 'Ephemeral Chat'],
  'page.claim': ['Say it now. Gone later.', 'Jetzt gesagt. Später weg.', 'Dit maintenant. Disparu ensuite.', 'Dilo ahora. Luego se va.'],
  'page.lead': ['A room to talk in that vanishes when its time is up, for everybody and for good.', 'Ein Raum zum Reden, der verschwindet, wenn seine Zeit um ist, für alle und endgültig.', 'Un salon pour discuter, qui disparaît à la fin de son temps, pour tous et pour de bon.', 'Una sala para hablar que desaparece cuando se acaba su tiempo, para todos y para siempre.'],
  'page.share': ['Share a link: no accounts, nothing to install', 'Link teilen: keine Konten, nichts zu installieren', 'Partagez un lien : ni compte, ni installation', 'Comparte un enlace: sin cuentas ni instalaciones'],
  'page.clock': ['Everybody sees the same clock run out', 'Alle sehen dieselbe Zeit ablaufen', 'Tout le monde voit le même compte à rebours', 'Todos ven acabarse el mismo reloj'],
  'page.erased': ['At the end every message is erased', 'Am Ende wird jede Nachricht gelöscht', 'À la fin, chaque message est effacé', 'Al final se borran todos los mensajes'],

  'start.title': ['New room', 'Neuer Raum', 'Nouveau salon', 'Nueva sala'],
  'start.room': ['Room name', 'Name des Raums', 'Nom du salon', 'Nombre de la sala'],
  'start.roomDefault': ['Our room', 'Unser Raum', 'Notre salon', 'Nuestra sala'],
  'start.name': ['Your name', 'Dein Name', 'Votre nom', 'Tu nombre'],
  'start.nameHint': ['Optional', 'Optional', 'Facultatif', 'Opcional'],
  'start.ttl': ['How long it lives', 'Wie lange er lebt', 'Durée de vie', 'Cuánto dura'],
  'start.ttlHint': ['From the first message on. Then everything is erased.', 'Ab der ersten Nachricht. Danach wird alles gelöscht.', 'À partir du premier message. Ensuite, tout est effacé.', 'Desde el primer mensaje. Después se borra todo.'],
  'start.private': ['End-to-end encrypted', 'Ende-zu-Ende-verschlüsselt', 'Chiffré de bout en bout', 'Cifrado de extremo a extremo'],
  'start.privateHint': ['The key is in the link and never sent to the server.', 'Der Schlüssel steht im Link und geht nie an den Server.', 'La clé est dans le lien, jamais envoyée au serveur.', 'La clave va en el enlace y nunca llega al servidor.'],
  'start.privateNeedsHttps': ['Needs a page that is served over HTTPS.', 'Braucht eine Seite über HTTPS.', 'Nécessite une page servie en HTTPS.', 'Requiere una página servida por HTTPS.'],
  'start.password': ['Password', 'Passwort', 'Mot de passe', 'Contraseña'],
  'start.passwordHint': ['Asked of everybody who joins.', 'Wird von allen verlangt, die beitreten.', 'Demandé à chaque personne qui rejoint.', 'Se pide a quien quiera entrar.'],
  'start.passwordField': ['Password of the room', 'Passwort des Raums', 'Mot de passe du salon', 'Contraseña de la sala'],
  'start.submit': ['Create room', 'Raum eröffnen', 'Créer le salon', 'Crear sala'],

  'join.title': ['Join the chat', 'Beim Chat mitmachen', 'Rejoindre le chat', 'Entrar en el chat'],
  'join.intro': ['You are invited to a room that vanishes when its time is up.', 'Du bist in einen Raum eingeladen, der verschwindet, wenn seine Zeit um ist.', 'Vous êtes invité dans un salon qui disparaît à la fin de son temps.', 'Te han invitado a una sala que desaparece cuando se acaba su tiempo.'],
  'join.submit': ['Join', 'Mitmachen', 'Rejoindre', 'Entrar'],
  'join.withPassword': ['I have a password', 'Ich habe ein Passwort', 'J’ai un mot de passe', 'Tengo una contraseña'],
  'join.password': ['Password', 'Passwort', 'Mot de passe', 'Contraseña'],
  'join.running': ['{time} left', 'noch {time}', 'encore {time}', 'quedan {time}'],
  'join.waiting': ['Not started yet', 'Noch nicht gestartet', 'Pas encore commencé', 'Aún no ha empezado'],
  'join.locked': ['This room is locked: nobody new can join.', 'Dieser Raum ist geschlossen: niemand Neues kann beitreten.', 'Ce salon est verrouillé : personne d’autre ne peut entrer.', 'Esta sala está cerrada: no puede entrar nadie más.'],
  'join.sealed': ['End-to-end encrypted', 'Ende-zu-Ende-verschlüsselt', 'Chiffré de bout en bout', 'Cifrado de extremo a extremo'],

  'room.starts': ['The first message starts the clock', 'Die erste Nachricht startet die Zeit', 'Le premier message lance le compte à rebours', 'El primer mensaje pone en marcha el reloj'],
  'room.startsHint': ['{time} later the room and everything in it is gone.', '{time} später ist der Raum samt Inhalt weg.', '{time} plus tard, le salon et tout son contenu disparaissent.', '{time} después, la sala y todo su contenido desaparecen.'],
  'room.waiting': ['Not started', 'Nicht gestartet', 'Pas commencé', 'Sin empezar'],
  'room.begin': ['Say something', 'Sag etwas', 'Écrivez quelque chose', 'Di algo'],
  'room.left': ['Time left', 'Restzeit', 'Temps restant', 'Tiempo restante'],
  'room.leftSpoken': ['{time} left until this room is gone', 'noch {time}, dann ist dieser Raum weg', 'encore {time} avant que ce salon disparaisse', 'quedan {time} hasta que esta sala desaparezca'],
  'room.ends': ['Gone at {time}', 'Weg um {time}', 'Disparaît à {time}', 'Desaparece a las {time}'],
  'room.started': ['The clock is running: {time}', 'Die Zeit läuft: {time}', 'Le compte à rebours est lancé : {time}', 'El reloj está en marcha: {time}'],
  'room.here.one': ['{n} here', '{n} hier', '{n} ici', '{n} aquí'],
  'room.here.other': ['{n} here', '{n} hier', '{n} ici', '{n} aquí'],
  'room.details': ['Room and people', 'Raum und Leute', 'Salon et personnes', 'Sala y personas'],
  'room.people': ['Who is here', 'Wer ist da', 'Qui est là', 'Quién está'],
  'room.more.one': ['and {n} more', 'und {n} weitere Person', 'et {n} de plus', 'y {n} más'],
  'room.more.other': ['and {n} more', 'und {n} weitere', 'et {n} de plus', 'y {n} más'],
  'room.admin': ['admin', 'Admin', 'admin', 'admin'],
  'room.joined': ['{name} is here', '{name} ist da', '{name} est là', '{name} está aquí'],
  'room.gone': ['{name} has left', '{name} ist gegangen', '{name} est parti', '{name} se ha ido'],
  'room.locked': ['Locked', 'Geschlossen', 'Verrouillé', 'Cerrada'],
  'room.nowLocked': ['The room is locked: nobody new can join', 'Der Raum ist geschlossen: niemand Neues kann beitreten', 'Le salon est verrouillé : personne d’autre ne peut entrer', 'La sala está cerrada: no puede entrar nadie más'],
  'room.nowOpen': ['The room is open again', 'Der Raum ist wieder offen', 'Le salon est de nouveau ouvert', 'La sala vuelve a estar abierta'],
  'room.sealed': ['End-to-end encrypted', 'Ende-zu-Ende-verschlüsselt', 'Chiffré de bout en bout', 'Cifrado de extremo a extremo'],

  'act.title': ['This room', 'Dieser Raum', 'Ce salon', 'Esta sala'],
  'act.start': ['Start the clock now', 'Zeit jetzt starten', 'Lancer le compte à rebours', 'Poner en marcha el reloj'],
  'act.lock': ['Lock the room', 'Raum schließen', 'Verrouiller le salon', 'Cerrar la sala'],
  'act.lockHint': ['Nobody new can join', 'Niemand Neues kann beitreten', 'Personne d’autre ne peut entrer', 'No puede entrar nadie más'],
  'act.sound': ['Sound', 'Ton', 'Son', 'Sonido'],
  'act.soundHint': ['When somebody writes', 'Wenn jemand schreibt', 'Quand quelqu’un écrit', 'Cuando alguien escribe'],
  'act.leave': ['Leave', 'Verlassen', 'Quitter', 'Salir'],
  'act.leaveTitle': ['Leave this room?', 'Diesen Raum verlassen?', 'Quitter ce salon ?', '¿Salir de esta sala?'],
  'act.leaveText': ['You cannot come back as {name}. What you wrote stays until the room is gone.', 'Als {name} kannst du nicht zurückkommen. Was du geschrieben hast, bleibt, bis der Raum weg ist.', 'Vous ne pourrez pas revenir en tant que {name}. Vos messages restent jusqu’à la fin du salon.', 'No podrás volver como {name}. Lo que escribiste queda hasta que la sala desaparezca.'],
  'act.delete': ['Delete the room', 'Raum löschen', 'Supprimer le salon', 'Eliminar la sala'],
  'act.deleteTitle': ['Delete this room now?', 'Diesen Raum jetzt löschen?', 'Supprimer ce salon maintenant ?', '¿Eliminar esta sala ahora?'],
  'act.deleteText': ['It ends for everybody at once, and every message is erased. This cannot be undone.', 'Er endet sofort für alle, und jede Nachricht wird gelöscht. Das lässt sich nicht rückgängig machen.', 'Il se termine aussitôt pour tout le monde et chaque message est effacé. C’est irréversible.', 'Termina al instante para todos y se borran todos los mensajes. No se puede deshacer.'],
  'act.remove': ['Remove', 'Entfernen', 'Retirer', 'Quitar'],
  'act.removeName': ['Remove {name}', '{name} entfernen', 'Retirer {name}', 'Quitar a {name}'],
  'act.removeTitle': ['Remove {name}?', '{name} entfernen?', 'Retirer {name} ?', '¿Quitar a {name}?'],
  'act.removeText': ['{name} is disconnected and cannot come back under this name. Whoever has the link can join anew, unless the room is locked.', '{name} wird getrennt und kann nicht unter diesem Namen zurückkommen. Wer den Link hat, kann neu beitreten, solange der Raum offen ist.', '{name} est déconnecté et ne pourra pas revenir sous ce nom. Toute personne ayant le lien peut rejoindre à nouveau, sauf si le salon est verrouillé.', '{name} queda desconectado y no podrá volver con este nombre. Quien tenga el enlace puede entrar de nuevo, salvo que la sala esté cerrada.'],
  'act.removeLock': ['And lock the room', 'Und den Raum schließen', 'Et verrouiller le salon', 'Y cerrar la sala'],
  'act.removed': ['{name} has been removed', '{name} wurde entfernt', '{name} a été retiré', 'Se ha quitado a {name}'],

  'share.title': ['Invite people', 'Leute einladen', 'Inviter', 'Invitar'],
  'share.hint': ['Whoever has this link can join.', 'Wer diesen Link hat, kann mitmachen.', 'Toute personne ayant ce lien peut rejoindre.', 'Quien tenga este enlace puede entrar.'],
  'share.hintSealed': ['Whoever has this link can join and read. It holds the key: share it with care.', 'Wer diesen Link hat, kann mitmachen und lesen. Er enthält den Schlüssel: teile ihn mit Bedacht.', 'Toute personne ayant ce lien peut rejoindre et lire. Il contient la clé : partagez-le avec soin.', 'Quien tenga este enlace puede entrar y leer. Contiene la clave: compártelo con cuidado.'],
  'share.link': ['Link to this room', 'Link zu diesem Raum', 'Lien vers ce salon', 'Enlace a esta sala'],
  'share.copy': ['Copy link', 'Link kopieren', 'Copier le lien', 'Copiar enlace'],
  'share.copied': ['Copied', 'Kopiert', 'Copié', 'Copiado'],
  'share.failed': ['Select the link and copy it', 'Markiere und kopiere den Link', 'Sélectionnez le lien et copiez-le', 'Selecciona el enlace y cópialo'],
  'share.system': ['Share…', 'Teilen …', 'Partager…', 'Compartir…'],
  'share.qr': ['QR code', 'QR-Code', 'QR code', 'Código QR'],
  'share.qrAlt': ['QR code of the link to this room', 'QR-Code des Links zu diesem Raum', 'QR code du lien vers ce salon', 'Código QR del enlace a esta sala'],

  'say.label': ['Message', 'Nachricht', 'Message', 'Mensaje'],
  'say.placeholder': ['Write a message', 'Nachricht schreiben', 'Écrire un message', 'Escribe un mensaje'],
  'say.send': ['Send', 'Senden', 'Envoyer', 'Enviar'],
  'say.emoji': ['Emoji', 'Emoji', 'Émoji', 'Emoji'],
  'say.typing.one': ['{a} is typing', '{a} schreibt', '{a} écrit', '{a} está escribiendo'],
  'say.typing.two': ['{a} and {b} are typing', '{a} und {b} schreiben', '{a} et {b} écrivent', '{a} y {b} están escribiendo'],
  'say.typing.many': ['Several people are typing', 'Mehrere schreiben', 'Plusieurs personnes écrivent', 'Varias personas están escribiendo'],

  'list.label': ['Messages', 'Nachrichten', 'Messages', 'Mensajes'],
  'list.hint': ['Arrow keys move between messages. Delete takes one back.', 'Pfeiltasten wechseln zwischen Nachrichten. Entf nimmt eine zurück.', 'Les flèches passent d’un message à l’autre. Suppr en reprend un.', 'Las flechas cambian de mensaje. Supr retira uno.'],
  'list.older': ['Loading older messages…', 'Ältere Nachrichten werden geladen …', 'Chargement des messages précédents…', 'Cargando mensajes anteriores…'],
  'list.new': ['New', 'Neu', 'Nouveau', 'Nuevo'],
  'list.toEnd': ['To the newest message', 'Zur neuesten Nachricht', 'Au dernier message', 'Al último mensaje'],
  'list.now': ['now', 'jetzt', 'à l’instant', 'ahora'],
  'list.gap': ['Some messages could not be recovered', 'Einige Nachrichten sind verloren gegangen', 'Certains messages n’ont pas pu être récupérés', 'Algunos mensajes no se han podido recuperar'],
  'list.retracted': ['Message taken back', 'Nachricht zurückgenommen', 'Message repris', 'Mensaje retirado'],
  'list.plain': ['Not encrypted', 'Nicht verschlüsselt', 'Non chiffré', 'Sin cifrar'],
  'list.undecipherable': ['This message does not decrypt with the key of this link', 'Diese Nachricht lässt sich mit dem Schlüssel dieses Links nicht entschlüsseln', 'Ce message ne se déchiffre pas avec la clé de ce lien', 'Este mensaje no se descifra con la clave de este enlace'],
  'list.sealed': ['Encrypted: the link lacks its key', 'Verschlüsselt: dem Link fehlt sein Schlüssel', 'Chiffré : il manque la clé dans le lien', 'Cifrado: al enlace le falta la clave'],
  'list.retract': ['Take back', 'Zurücknehmen', 'Reprendre', 'Retirar'],
  'list.retractTitle': ['Take this message back?', 'Diese Nachricht zurücknehmen?', 'Reprendre ce message ?', '¿Retirar este mensaje?'],
  'list.retractText': ['Its text disappears for everybody.', 'Ihr Text verschwindet für alle.', 'Son texte disparaît pour tout le monde.', 'Su texto desaparece para todos.'],
  'list.sending': ['Sending…', 'Wird gesendet …', 'Envoi…', 'Enviando…'],
  'list.failed': ['Not sent', 'Nicht gesendet', 'Non envoyé', 'No enviado'],
  'list.retry': ['Send again', 'Noch einmal senden', 'Renvoyer', 'Enviar de nuevo'],
  'list.discard': ['Discard', 'Verwerfen', 'Abandonner', 'Descartar'],

  'net.connecting': ['Connecting…', 'Verbindet …', 'Connexion…', 'Conectando…'],
  'net.offline': ['You are offline', 'Du bist offline', 'Vous êtes hors ligne', 'Estás sin conexión'],
  'net.waiting': ['Connection lost. Retry in {n} s', 'Verbindung weg. Neuer Versuch in {n} s', 'Connexion perdue. Essai dans {n} s', 'Conexión perdida. Reintento en {n} s'],
  'net.lost': ['Connection lost', 'Verbindung verloren', 'Connexion perdue', 'Conexión perdida'],
  'net.now': ['Now', 'Jetzt', 'Maintenant', 'Ahora'],
  'net.back': ['Connected again', 'Wieder verbunden', 'Reconnecté', 'Conectado de nuevo'],
  'net.closed': ['This chat is open in another tab or window', 'Dieser Chat ist in einem anderen Tab oder Fenster offen', 'Ce chat est ouvert dans un autre onglet ou une autre fenêtre', 'Este chat está abierto en otra pestaña o ventana'],

  'gone.title': ['This room is gone', 'Dieser Raum ist weg', 'Ce salon a disparu', 'Esta sala ya no existe'],
  'gone.expired': ['Its time was up. Every message has been erased, for everybody.', 'Seine Zeit war um. Jede Nachricht wurde gelöscht, für alle.', 'Son temps était écoulé. Chaque message a été effacé, pour tout le monde.', 'Se acabó su tiempo. Se han borrado todos los mensajes, para todos.'],
  'gone.deleted': ['Its admin deleted it. Every message has been erased, for everybody.', 'Sein Admin hat ihn gelöscht. Jede Nachricht wurde gelöscht, für alle.', 'Son admin l’a supprimé. Chaque message a été effacé, pour tout le monde.', 'Su admin la eliminó. Se han borrado todos los mensajes, para todos.'],
  'gone.gone': ['Its time was up, or it was deleted, or the link is not complete. Nothing of it is kept.', 'Seine Zeit war um, er wurde gelöscht, oder der Link ist unvollständig. Nichts davon ist aufbewahrt.', 'Son temps était écoulé, il a été supprimé, ou le lien est incomplet. Rien n’en est conservé.', 'Se acabó su tiempo, fue eliminada o el enlace está incompleto. No se guarda nada de ella.'],
  'gone.removedTitle': ['You have been removed', 'Du wurdest entfernt', 'Vous avez été retiré', 'Te han quitado de la sala'],
  'gone.removed': ['The admin has ended your part in this room.', 'Der Admin hat deine Teilnahme an diesem Raum beendet.', 'L’admin a mis fin à votre participation à ce salon.', 'El admin ha terminado tu participación en esta sala.'],
  'gone.leftTitle': ['You have left', 'Du bist gegangen', 'Vous êtes parti', 'Has salido'],
  'gone.left': ['Nothing of this room is kept in this browser.', 'Nichts von diesem Raum bleibt in diesem Browser.', 'Rien de ce salon n’est conservé dans ce navigateur.', 'No queda nada de esta sala en este navegador.'],
  'gone.invalidTitle': ['You are no longer in this room', 'Du bist nicht mehr in diesem Raum', 'Vous n’êtes plus dans ce salon', 'Ya no estás en esta sala'],
  'gone.invalid': ['Your session is no longer valid.', 'Deine Sitzung gilt nicht mehr.', 'Votre session n’est plus valable.', 'Tu sesión ya no es válida.'],
  'gone.new': ['New room', 'Neuer Raum', 'Nouveau salon', 'Nueva sala'],
  'gone.again': ['Join again', 'Wieder mitmachen', 'Rejoindre à nouveau', 'Entrar de nuevo'],

  'error.wrong_password': ['That is not the password', 'Das ist nicht das Passwort', 'Ce n’est pas le mot de passe', 'Esa no es la contraseña'],
  'error.not_signed_in': ['Sign in to this site first', 'Melde dich zuerst auf dieser Website an', 'Connectez-vous d’abord à ce site', 'Primero inicia sesión en este sitio'],
  'error.room_locked': ['This room is locked: nobody new can join', 'Dieser Raum ist geschlossen: niemand Neues kann beitreten', 'Ce salon est verrouillé : personne d’autre ne peut entrer', 'Esta sala está cerrada: no puede entrar nadie más'],
  'error.room_full': ['This room is full', 'Dieser Raum ist voll', 'Ce salon est complet', 'Esta sala está llena'],
  'error.rate_limited': ['That was a lot at once. Try again in {time}', 'Das war viel auf einmal. Versuch es in {time} wieder', 'C’était beaucoup d’un coup. Réessayez dans {time}', 'Han sido demasiadas veces. Inténtalo de nuevo en {time}'],
  'error.slow_down': ['Too fast', 'Zu schnell', 'Trop vite', 'Demasiado rápido'],
  'error.too_many_rooms': ['There are too many rooms right now. Try again later', 'Gerade gibt es zu viele Räume. Versuch es später', 'Il y a trop de salons en ce moment. Réessayez plus tard', 'Ahora mismo hay demasiadas salas. Inténtalo más tarde'],
  'error.unavailable': ['The server cannot answer right now. Try again in a moment', 'Der Server kann gerade nicht antworten. Versuch es gleich noch einmal', 'Le serveur ne peut pas répondre. Réessayez dans un instant', 'El servidor no puede responder ahora. Inténtalo en un momento'],
  'error.network': ['No connection to the server', 'Keine Verbindung zum Server', 'Pas de connexion au serveur', 'Sin conexión con el servidor'],
  'error.origin_not_allowed': ['This site may not use this chat', 'Diese Website darf diesen Chat nicht benutzen', 'Ce site n’est pas autorisé à utiliser ce chat', 'Este sitio no puede usar este chat'],
  'error.message_too_long': ['Too long', 'Zu lang', 'Trop long', 'Demasiado largo'],
  'error.invalid_key': ['The link is not complete: its key is damaged', 'Der Link ist unvollständig: sein Schlüssel ist beschädigt', 'Le lien est incomplet : sa clé est abîmée', 'El enlace está incompleto: su clave está dañada'],
  'error.insecure_context': ['This room is encrypted, which needs a page served over HTTPS', 'Dieser Raum ist verschlüsselt, das braucht eine Seite über HTTPS', 'Ce salon est chiffré, ce qui demande une page servie en HTTPS', 'Esta sala está cifrada y eso requiere una página por HTTPS'],
  'error.invalid_request': ['The server does not accept this. Try shorter names or a shorter time', 'Der Server nimmt das nicht an. Versuch es mit kürzeren Namen oder kürzerer Zeit', 'Le serveur ne l’accepte pas. Essayez des noms ou une durée plus courts', 'El servidor no lo acepta. Prueba con nombres o un tiempo más cortos'],
  'error.other': ['That did not work', 'Das hat nicht geklappt', 'Cela n’a pas marché', 'No ha funcionado'],
}

/**
 * @callback Translate
 * @param {string} key
 * @param {Record<string, string | number>} [values]
 * @returns {string}
 */

/**
 * The language to use: the first of the wanted ones that the table has, else English.
 * @param {readonly string[]} wanted BCP 47 tags
 */
export function pickLanguage(wanted) {
  for (const tag of wanted) {
    const language = tag.toLowerCase().split('-')[0]
    if (languages.includes(language)) return language
  }
  return 'en'
}

/**
 * @param {string} language one that pickLanguage returned
 * @returns {Translate}
 */
export function translator(language) {
  const column = languages.indexOf(language)
  return (key, values = {}) => {
    const row = table[key] ?? [key, key, key, key]
    return row[column].replace(/\{(\w+)\}/g, (_, name) => isolated(String(values[name] ?? '')))
  }
}

/**
 * Keeps a name that runs from right to left from turning what is around it
 * (Unicode Standard Annex #9), where there is no element to do so: in a sentence,
 * in the title of a window.
 *
 * @param {string} value
 */
export function isolated(value) {
  if (!/[\u0590-\u08ff\u200e\u200f\u202a-\u202e\u2066-\u2069\ufb1d-\ufdff\ufe70-\ufefc]/.test(value)) return value
  return `\u2068${value.replace(/[\u202a-\u202e\u2066-\u2069]/g, '')}\u2069`
}

/** @param {string} key */
export const hasString = (key) => key in table
